import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import type { Machine } from "../lab/machine.ts";
import { families, ManagedHost } from "../lab/managed-host.ts";
import { PluginDirectory, withPlugins } from "../lab/plugin-directory.ts";

const [ipv4] = families;
const options = { skip: requires(), concurrency: 2 };

describe("a reload of path managers", options, () => {
  it("takes a changed file into force, and tells the connections again", async (t) => {
    const managed = await ManagedHost.create(t, "client");
    const { machine } = managed;
    const plugins = new PluginDirectory(machine.lab, { "one.js": witness("first") });
    await machine.start({ config: plugins.config("path-manager=one") });
    const tokens = await connect(managed, 2);
    await told(machine, "first", tokens);
    plugins.write("one.js", witness("second"));
    await machine.reload();
    await told(machine, "second", tokens);
    assert.equal(machine.daemon.lines.at(-1), "notice: configuration reloaded");
  });

  it("takes a changed file beside or below it into force", async (t) => {
    const { machine, plugins } = await withPlugins(t, {
      "one.js": `import "./beside.mjs"; import "./lib/below.mjs"; ${witness("one")}`,
      "beside.mjs": 'console.log("beside 1");',
    });
    plugins.writeIn("lib", "below.mjs", 'console.log("below 1");');
    await machine.start({ config: plugins.config("path-manager=one") });
    plugins.write("beside.mjs", 'console.log("beside 2");');
    await machine.reload();
    await machine.daemon.waitForLine(/beside 2/);
    plugins.writeIn("lib", "below.mjs", 'console.log("below 2");');
    await machine.reload();
    await machine.daemon.waitForLine(/below 2/);
  });

  it("loses no connection that is made or ends meanwhile, and no address that is announced", async (t) => {
    const managed = await ManagedHost.create(t, "client");
    await managed.server.ip("mptcp endpoint add 10.0.2.1 id 5 signal");
    const { machine, clientPeer } = managed;
    const plugins = new PluginDirectory(machine.lab, { "one.js": witness("round 0") });
    await machine.start({ config: plugins.config("path-manager=one") });
    const port = await managed.serverPeer.listen({ address: "0.0.0.0", port: 0 });
    const kept: number[] = [];
    let round = 0;
    let isOver = false;
    const traffic = (async () => {
      while (!isOver) {
        const sockets = await clientPeer.connectMany({ address: "10.0.1.1", port, count: 5 });
        // mptcpd leaves out lines of the log that nobody reads in time: what it tells at a reload has to fit.
        const stay = sockets.slice(0, kept.length < 12 * (round + 1) ? 1 : 0);
        kept.push(...stay.map(({ token }) => token));
        for (const socket of sockets.slice(stay.length)) await clientPeer.close(socket);
        for (const { token } of sockets) await machine.daemon.waitForLine(new RegExp(`: has ${token}$`));
      }
    })();
    do {
      plugins.write("one.js", witness(`round ${++round}`));
      await machine.reload();
    } while (round < 5 || kept.length <= 20);
    isOver = true;
    await traffic;
    const last = `round ${round}`;
    await told(machine, last, kept);
    await told(machine, last, kept, "heard for");
    const counts = new Map<string, number>();
    for (const line of machine.daemon.lines.filter((line) => line.includes(`${last}: has`)))
      counts.set(line, (counts.get(line) ?? 0) + 1);
    assert.deepEqual(
      [...counts].filter(([, count]) => count > 1),
      [],
      "each is told once",
    );
    const from = machine.daemon.lines.length;
    await clientPeer.closeAll();
    await waitFor("their ends", () =>
      kept.every((token) => machine.daemon.lines.slice(from).includes(`notice: one: ${last}: lost ${token}`)),
    );
    await machine.says(new RegExp(`^notice: one: ${last}: 0 left$`), () =>
      clientPeer.listen({ address: "::", port: 0 }),
    );
  });

  it("lets the same go on where nothing has changed for them", async (t) => {
    const managed = await ManagedHost.started(t, "client");
    const { machine, puppet } = managed;
    const { token } = await managed.connect(ipv4);
    const mark = () => puppet.run((pm) => Object.assign(pm, { mark: true }) && null);
    const isMarked = () => puppet.run((pm) => "mark" in pm);
    await mark();
    await machine.reload();
    await machine.reload(`# a line more\n${puppet.config.replace("[core]", "[core]\nlimits=keep")}`);
    assert.equal(await isMarked(), true);
    assert.deepEqual(puppet.history(token), ["newConnection", "connectionEstablished"]);
    await machine.reload(`${puppet.config}[path one]\nmatch-interface=eth9\nignore=yes\n`);
    assert.equal(await isMarked(), false);
  });

  it("refuses a version that cannot be loaded, and the old one goes on", async (t) => {
    const managed = await ManagedHost.create(t, "client");
    const { machine } = managed;
    const plugins = new PluginDirectory(machine.lab, { "one.js": witness("first") });
    const config = plugins.config("path-manager=one");
    await machine.start({ config });
    const tokens = await connect(managed, 1);
    plugins.write("one.js", "export default {");
    await machine.reload();
    const [what, ...more] = machine.problems;
    assert.match(what ?? "", /^error: plugin one: \S+\/one\.js:1: /);
    assert.deepEqual(more, ["error: the configuration was not reloaded: the old one stays in force"]);
    const others = await connect(managed, 2);
    await told(machine, "first", [...tokens, ...others]);
    plugins.write("one.js", witness("second"));
    await machine.reload();
    await told(machine, "second", [...tokens, ...others]);
  });

  it("refuses options that a plugin does not have, with all else that is in the file", async (t) => {
    const managed = await ManagedHost.started(t, "client");
    const { machine, puppet } = managed;
    await machine.reload(`${puppet.config}tall=1\n`);
    assert.match(machine.problems[0] ?? "", /^error: \S+:\d+: tall is not a key of \[plugin puppet\]/);
    const { token } = await managed.connect(ipv4);
    assert.deepEqual(puppet.history(token), ["newConnection", "connectionEstablished"]);
  });

  it("takes changed options into force", async (t) => {
    const managed = await ManagedHost.create(t, "client");
    const { machine, puppet } = managed;
    await machine.start({ config: puppet.quietConfig });
    assert.equal(await optionsOf(managed), false);
    await machine.reload(puppet.config);
    assert.equal(await optionsOf(managed), true);
  });

  it("goes from no plugins to some and back, and net.mptcp.path_manager with them", async (t) => {
    const managed = await ManagedHost.create(t, "client");
    const { machine, puppet } = managed;
    const isUserspace = async () => (await machine.host.sysctl("net.mptcp.pm_type")) === "1";
    await machine.start();
    await machine.hasEndpointsAt(["10.0.1.2", "10.0.2.2", "fd00:1::2", "fd00:2::2"]);
    const port = await managed.serverPeer.listen({ address: "0.0.0.0", port: 0 });
    const before = await managed.clientPeer.connect({ address: "10.0.1.1", port });
    await machine.reload(puppet.config);
    assert.equal(await isUserspace(), true);
    await machine.hasEndpointsAt([]);
    // Those of the kernel's path manager are told as well, but take no commands.
    const attempt = puppet.with(before.token, (pm, connection) =>
      pm.createSubflow(connection, { from: "10.0.2.2" }),
    );
    await assert.rejects(attempt, { name: "KernelError", message: /userspace PM not selected/ });
    assert.equal(await puppet.with(before.token, (_, { pathManager }) => pathManager), "kernel");
    const { token } = await managed.connect(ipv4);
    await puppet.with(token, (pm, connection) => pm.createSubflow(connection, { from: "10.0.2.2" }));
    await machine.reload("[core]\nremoval-delay=0\n");
    assert.equal(await isUserspace(), false);
    await machine.hasEndpointsAt(["10.0.1.2", "10.0.2.2", "fd00:1::2", "fd00:2::2"]);
    await managed.clientPeer.echo(before);
  });
});

/** The text of a plugin that says which connections it has, and loses. */
function witness(words: string): string {
  return `import { definePathManager } from "mptcpd";
    export default definePathManager({
      name: "one",
      setup: (pm) => ({
        connectionEstablished: ({ token }) => pm.log.notice("${words}: has " + token),
        connectionClosed: ({ token }) => pm.log.notice("${words}: lost " + token),
        newAddress: ({ token }) => pm.log.notice("${words}: heard for " + token),
        listenerCreated: () => pm.log.notice("${words}: " + pm.connections.size + " left"),
      }),
    });`;
}

async function told(
  { daemon }: Machine,
  words: string,
  tokens: readonly number[],
  what = "has",
): Promise<void> {
  await waitFor(
    `${words} to have ${tokens.length} connections`,
    () => tokens.filter((token) => !daemon.lines.includes(`notice: one: ${words}: ${what} ${token}`)),
    { until: (missing) => missing.length === 0 },
  );
}

async function connect({ clientPeer, serverPeer }: ManagedHost, count: number): Promise<number[]> {
  const port = await serverPeer.listen({ address: "0.0.0.0", port: 0 });
  const sockets = await clientPeer.connectMany({ address: "10.0.1.1", port, count });
  return sockets.map(({ token }) => token);
}

/** Whether the puppet is to tell what it is told. */
function optionsOf({ puppet }: ManagedHost): Promise<unknown> {
  return puppet.run(({ options }) =>
    typeof options === "object" && options !== null && "tell" in options ? options.tell : undefined,
  );
}
