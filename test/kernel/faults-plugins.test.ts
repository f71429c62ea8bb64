import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkout } from "../../src/lab/kit/checkout.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { Machine, program } from "../lab/machine.ts";
import { families, ManagedHost } from "../lab/managed-host.ts";
import { Peer } from "../lab/peer.ts";
import { check, PluginDirectory, plugin, withPlugins } from "../lab/plugin-directory.ts";

const [ipv4] = families;
const { MPTCPD_ADDON: addon = join(checkout, "dist/addon.node") } = process.env;

describe("faults of the C mptcpd that this one does not have: plugins", {
  skip: requires(),
  concurrency: 2,
}, () => {
  it("F19: without CAP_NET_ADMIN it does not start, whatever plugin is to be in charge", async (t) => {
    const { machine, plugins } = await withPlugins(t, { "one.js": plugin("one", "newConnection() {}") });
    const withoutIt = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-all", ...program] as const;
    const config = plugins.config("path-manager=one");
    const { code, lines } = await machine.runToEnd({ command: [...withoutIt], config });
    assert.equal(code, 1);
    assert.deepEqual(lines, ["error: changing endpoints needs CAP_NET_ADMIN: run mptcpd as root"]);
  });

  it("F21: path managers may take back addresses, as often as they like", async (t) => {
    const managed = await ManagedHost.started(t, "server");
    // Who joins an address that was just withdrawn puts it on the kernel's list again.
    await managed.client.ip("mptcp limits set subflows 8 add_addr_accepted 0");
    const { token } = await managed.connect(ipv4);
    await managed.puppet.with(token, async (pm, connection) => {
      // Between two times that it is taken back mptcpd waits for a while.
      for (let round = 0; round < 20; round++) {
        await pm.announce(connection, { address: "10.0.2.1" });
        await pm.withdraw(connection, "10.0.2.1");
        await pm.endpoints.add({ address: "10.0.2.1", flags: ["signal"], id: 7 });
        await pm.endpoints.remove(7);
      }
    });
    assert.deepEqual(await managed.serverPeer.ids(token), []);
    assert.deepEqual(await managed.machine.show(), []);
  });

  it("F22: a subflow that is not backup is told as such, and one that is, too", async (t) => {
    const managed = await ManagedHost.started(t, "server");
    for (const backup of [false, true]) {
      const { joined } = await managed.joinedByPeer(ipv4, { backup });
      assert.deepEqual([joined.remoteBackup, joined.localBackup], [backup, false]);
    }
  });

  it("F23: connections that have ended leave nothing behind, in memory and in the checkpoint", async (t) => {
    const managed = await ManagedHost.create(t, "client");
    const { machine, puppet } = managed;
    await machine.start({ config: puppet.quietConfig });
    const storm = async () => {
      const file = join(import.meta.dirname, "../lab/connection-storm.js");
      await managed.client.run("env", `MPTCPD_ADDON=${addon}`, process.execPath, file, "3000");
      await waitFor("the end of all", () => puppet.run(({ connections }) => connections.size), {
        until: (size) => size === 0,
      });
    };
    for (let round = 0; round < 2; round++) await storm();
    const before = await heapOf(managed);
    for (let round = 0; round < 5; round++) await storm();
    const grown = (await heapOf(managed)) - before;
    // 30,000 ends of connections: the 94 bytes that the C mptcpd kept of each were 2.8 MB.
    assert.ok(grown < 2_000_000, `it has grown by ${grown} bytes`);
    const [checkpoint = ""] = readdirSync(machine.runtimeDirectory).filter((name) =>
      name.endsWith("connections"),
    );
    assert.ok(statSync(join(machine.runtimeDirectory, checkpoint)).size < 2_000_000);
  });

  describe("F24: sspi", () => {
    it("announces addresses, and keeps one subflow for each interface", async (t) => {
      const managed = await ManagedHost.create(t, "server");
      const { machine } = managed;
      await machine.start({
        config: "[core]\npath-manager=sspi\n[path v6]\nmatch-address=::/0\nignore=yes\n",
      });
      const port = await managed.serverPeer.listen({ address: "0.0.0.0", port: 0 });
      const socket = await managed.clientPeer.connect({ address: "10.0.1.1", port });
      const subflows = () => managed.serverPeer.subflowsAt(socket.port);
      // The client joins what was announced.
      await waitFor("a second subflow", subflows, { until: (all) => all.length === 2 });
      assert.deepEqual(
        (await subflows()).map((one) => one.split(" ")[0]),
        ["10.0.1.1", "10.0.2.1"],
      );
      // By which the client joins the first address once more.
      await managed.client.ip("mptcp endpoint add 10.0.2.2 dev eth2 subflow");
      await waitFor("another join", () => managed.server.run("nstat", "-as", "MPTcpExtMPJoinAckRx"), {
        until: (text) => /MPJoinAckRx +2 /.test(text),
      });
      await machine.eventually("still one for each", async () =>
        assert.deepEqual(
          (await subflows()).map((one) => one.split(" ")[0]),
          ["10.0.1.1", "10.0.2.1"],
        ),
      );
      assert.deepEqual(machine.problems, []);
    });

    it("does not forget connections when another is closed", async (t) => {
      const managed = await ManagedHost.create(t, "client");
      const { machine, client, clientPeer, serverPeer } = managed;
      await client.ip("addr del 10.0.2.2/24 dev eth2");
      await machine.start({
        config: "[core]\npath-manager=sspi\n[path v6]\nmatch-address=::/0\nignore=yes\n",
      });
      const port = await serverPeer.listen({ address: "0.0.0.0", port: 0 });
      const [gone, kept, alsoKept] = await clientPeer.connectMany({ address: "10.0.1.1", port, count: 3 });
      assert.ok(gone && kept && alsoKept);
      await clientPeer.close(gone);
      await client.ip("addr add 10.0.2.2/24 dev eth2");
      for (const { port: own } of [kept, alsoKept])
        await waitFor("a subflow on eth2", () => serverPeer.subflowsAt(own), {
          until: (subflows) => subflows.join() === "10.0.1.1 > 10.0.1.2,10.0.1.1 > 10.0.2.2",
        });
    });
  });

  it("F25: empty lists of plugins and path managers are plain errors", async (t) => {
    const machine = await Machine.create(t);
    for (const key of ["load-plugins", "path-manager"]) {
      const usage = await machine.runToEnd({ args: [`--${key}=,`] });
      assert.equal(usage.code, 64);
      assert.match(usage.lines.join("\n"), new RegExp(`^mptcpd: --${key}: has an empty item`));
      for (const value of ["", ",", "a,,b"]) {
        const config = await machine.runToEnd({ config: `[core]\n${key}=${value}\n` });
        assert.equal(config.code, 1);
        assert.equal(config.lines.length, 1);
        assert.match(
          config.lines.join(),
          new RegExp(`mptcpd\\.conf:2: ${key}: (is empty|has an empty item)`),
        );
      }
    }
  });

  it("F26: connections that are older than mptcpd belong to its path managers, too", async (t) => {
    const managed = await ManagedHost.create(t, "client");
    await managed.client.sysctl("net.mptcp.pm_type", 1);
    const port = await managed.serverPeer.listen({ address: "0.0.0.0", port: 0 });
    const sockets = await managed.clientPeer.connectMany({ address: "10.0.1.1", port, count: 20 });
    await managed.start();
    for (const { token } of sockets)
      await managed.puppet.with(token, (pm, connection) =>
        pm.createSubflow(connection, { from: "10.0.2.2" }),
      );
    await managed.clientPeer.closeAll();
    for (const { token } of sockets)
      await managed.puppet.told("connectionClosed", ([connection]) => connection.token === token);
    assert.deepEqual(managed.machine.problems, []);
  });

  it("F29: connections that are made while it starts are not lost, and told once", async (t) => {
    const managed = await ManagedHost.create(t, "client");
    const { machine, clientPeer } = managed;
    const plugins = new PluginDirectory(machine.lab, {
      "one.js": `const counts = new Map();\n${plugin(
        "one",
        `connectionEstablished({ token }) { counts.set(token, (counts.get(token) ?? 0) + 1) },
         listenerCreated() { pm.log.notice([counts.size, Math.max(...counts.values())].join()) }`,
      )}`,
    });
    const port = await managed.serverPeer.listen({ address: "0.0.0.0", port: 0 });
    const connect = async () =>
      (await clientPeer.connectMany({ address: "10.0.1.1", port, count: 5 })).length;
    // From now on the peers are there, and fast.
    let made = await connect();
    const daemon = machine.launch({ config: plugins.config("path-manager=one") });
    while (made <= 20 || !daemon.lines.includes("notice: ready")) made += await connect();
    await machine.says(new RegExp(`^notice: one: ${made},1$`), () =>
      clientPeer.listen({ address: "127.0.0.1", port: 0 }),
    );
  });

  it("F32: with the userspace path manager in charge no endpoints are made in vain where none are wanted", async (t) => {
    const { machine, plugins } = await withPlugins(t, { "one.js": plugin("one", "newConnection() {}") });
    await machine.start({ config: plugins.config("load-plugins=one\npath-manager=one") });
    await machine.keeps();
    assert.equal(await machine.host.sysctl("net.mptcp.pm_type"), "1");
  });

  describe("F33: who writes a path manager", () => {
    it("gets the kernel's own words where it refuses", async (t) => {
      const managed = await ManagedHost.started(t, "client");
      const { token } = await managed.connect(ipv4);
      const attempt = managed.puppet.with(token, (pm, connection) =>
        pm.createSubflow(connection, { from: "fd00:2::2", to: "10.0.1.1" }),
      );
      await assert.rejects(attempt, { name: "KernelError", code: "EINVAL", message: /famil/ });
    });

    it("gets an error where an argument is missing or makes no sense, and nothing breaks", async (t) => {
      const managed = await ManagedHost.started(t, "client");
      const { token } = await managed.connect(ipv4);
      for (const options of ["{}", "undefined", "{ from: null }", "{ from: 7 }", '{ from: "x" }'])
        await assert.rejects(
          managed.puppet.with(
            token,
            (pm, connection, text) => pm.createSubflow(connection, new Function(`return (${text})`)()),
            options,
          ),
          options,
        );
      await managed.puppet.with(token, (pm, connection) =>
        pm.createSubflow(connection, { from: "10.0.2.2" }),
      );
      assert.deepEqual(managed.machine.problems, []);
    });

    it("loses nothing where a listener cannot be opened", async (t) => {
      const managed = await ManagedHost.started(t, "server");
      const { token, port } = await managed.connect(ipv4);
      const attempts = managed.puppet.with(
        token,
        async (pm, connection, taken) => {
          const codes: string[] = [];
          for (let round = 0; round < 50; round++)
            await pm
              .announce(connection, { address: "10.0.2.1", port: taken, listen: true })
              .catch((error) => codes.push(error.code));
          return new Set(codes).size === 1 && codes.length === 50 ? codes[0] : codes;
        },
        port,
      );
      assert.equal(await attempts, "EADDRINUSE");
      const { token: another } = await managed.connect(ipv4);
      const made = managed.puppet.with(another, (pm, connection) =>
        pm.announce(connection, { address: "10.0.2.1", port: 0, listen: true }),
      );
      assert.ok((await made).port > 0);
    });

    it("may listen to listeners only, without a warning", async (t) => {
      const { machine, plugins } = await withPlugins(t, {
        "one.js": plugin("one", "listenerCreated({ port }) { pm.log.notice(String(port)) }"),
      });
      await machine.start({ config: plugins.config("path-manager=one") });
      const port = await new Peer(machine.host).listen({ address: "0.0.0.0", port: 0 });
      await machine.daemon.waitForLine(new RegExp(`^notice: one: ${port}$`));
      assert.deepEqual(machine.problems, []);
    });

    it("is told where something was made for another mptcpd", async (t) => {
      const { machine, plugins } = await withPlugins(t, {
        "old.js": `import { definePlugin } from "mptcpd"; export default definePlugin({});`,
        "typo.js": plugin("typo", "newConection() {}"),
      });
      const { code, lines } = await check(machine, plugins.config("load-plugins=old"));
      assert.equal(code, 1);
      assert.match(
        lines.join(),
        /plugin old: \S+\/old\.js:1: .*does not provide an export named 'definePlugin'/,
      );
      await machine.start({ config: plugins.config("path-manager=typo\nload-plugins=typo") });
      await machine.daemon.waitForLine(/^warning: typo: there is no event newConection$/);
    });
  });
});

/** Bytes that the plugins' thread holds. */
function heapOf({ puppet }: ManagedHost): Promise<number> {
  return puppet.run(async () => {
    const { setFlagsFromString } = await import("node:v8");
    const { runInNewContext } = await import("node:vm");
    setFlagsFromString("--expose-gc");
    for (let round = 0; round < 4; round++) {
      runInNewContext("gc")();
      await new Promise(setImmediate);
    }
    return process.memoryUsage().heapUsed;
  });
}
