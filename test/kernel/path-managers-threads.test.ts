import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkout } from "../../src/lab/kit/checkout.ts";
import type { Closer } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { rounds } from "../lab/campaign.ts";
import type { Machine } from "../lab/machine.ts";
import { ManagedHost } from "../lab/managed-host.ts";
import { check, PluginDirectory, plugin, withPlugins } from "../lab/plugin-directory.ts";

const options = { skip: requires(), concurrency: 2 };
/** A blocked thread is one that had a processor for a while: on a busy machine that takes several times as long. */
const patience = { deadlineMs: 60_000 };

describe("a thread of path managers that is blocked", options, () => {
  it("is replaced, the log names who blocked it, and endpoints are served all the while", async (t) => {
    const { machine } = await withHandler(t, "while (true);");
    await trigger(machine);
    await machine.ip("addr add 10.0.0.2/24 dev eth0");
    await machine.has("10.0.0.1 eth0 subflow", "10.0.0.2 eth0 subflow", "10.0.9.1 eth0 subflow");
    await machine.ip("addr del 10.0.9.1/24 dev eth0");
    const blocked =
      /^error: the path managers' thread was blocked for 2 s by one \(newLocalAddress\); it is replaced$/;
    await machine.daemon.waitForLine(blocked, patience);
    const { lines } = machine.daemon;
    const [added] = machine.history("10.0.0.2");
    assert.ok(added !== undefined && lines.indexOf(added) < lines.findIndex((line) => blocked.test(line)));
    await machine.daemon.waitForLine(/^error: one: fault 1 of 10$/);
    await machine.daemon.waitForLine(/^notice: the path managers are at work again$/, patience);
    await machine.has("10.0.0.1 eth0 subflow", "10.0.0.2 eth0 subflow");
  });

  it("is replaced by one that knows all connections again, and what was announced", async (t) => {
    const managed = await ManagedHost.create(t, "client");
    const { machine, puppet } = managed;
    await managed.server.ip("mptcp endpoint add 10.0.2.1 id 5 signal");
    await machine.start({ config: puppet.config });
    const { token } = await managed.connect({ any: "0.0.0.0", target: "10.0.1.1" });
    await puppet.told("newAddress");
    await puppet.with(token, (pm, connection) => pm.createSubflow(connection, { from: "10.0.2.2" }));
    const from = machine.daemon.lines.length;
    const blocked = puppet.run(() => {
      while (true);
    });
    await assert.rejects(blocked);
    await machine.daemon.waitForLine(/^notice: the path managers are at work again$/, { from, ...patience });
    const [connection] = await puppet.told("newAddress", ([one]) => one.token === token, { from });
    assert.deepEqual(
      connection.announced.map(({ id, address }) => [id, address]),
      [[5, "10.0.2.1"]],
    );
    const found = await puppet.with(token, (_, { subflows }) => subflows.map(({ local }) => local.address));
    assert.deepEqual(found.toSorted(), ["10.0.1.2", "10.0.2.2"]);
  });

  it("again and again has its plugin stopped, and the others go on", async (t) => {
    const { machine, plugins } = await withPlugins(t, {
      "one.js": plugin("one", "newInterface() { while (true); }"),
      "two.js": plugin("two", `newInterface() { pm.log.notice("alive") }`),
    });
    const daemon = machine.launch({ config: plugins.config("path-manager=one\nplugin-faults=2") });
    await daemon.waitForLine(/^error: one: fault 1 of 2$/, patience);
    await daemon.waitForLine(/^error: one: fault 2 of 2; it is stopped$/, patience);
    await daemon.waitForLine(/^notice: two: alive$/, patience);
    await daemon.waitForLine(/^notice: ready$/, patience);
    await machine.stop();
  });
});

describe("a thread of path managers that gets no processor", options, () => {
  it("is not blocked, though that takes longer than a blocked one has to load", async (t) => {
    // Two seconds of a processor, so that it is not loaded before it has waited for long.
    const work = "while (process.cpuUsage().user + process.cpuUsage().system < 2e6);";
    const { machine, plugins } = await withPlugins(t, { "one.js": `${plugin("one", "")}\n${work}` });
    const others = [1, 2].map(() =>
      machine.host.spawn("taskset", ["-c", "0", "sh", "-c", "while :; do :; done"]),
    );
    const daemon = machine.launch({
      config: plugins.config("path-manager=one"),
      command: ["taskset", "-c", "0", "nice", "-n", "12", join(checkout, "bin/mptcpd")],
    });
    await waitFor("its threads to have waited for a processor", () => waitedBy(daemon.pid), {
      until: (milliseconds) => milliseconds > 30_000,
      deadlineMs: 60_000,
    });
    for (const other of others) await other.kill();
    await daemon.waitForLine(/^notice: ready$/, patience);
    assert.doesNotMatch(daemon.output, /blocked/);
    await machine.stop();
  });
});

/** Milliseconds that the threads of a process have waited for a processor, all together. */
function waitedBy(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  const waits = readdirSync(tasks).map(
    (task) => readFileSync(`${tasks}/${task}/schedstat`, "utf8").split(" ")[1],
  );
  return waits.reduce((sum, wait) => sum + Number(wait) / 1e6, 0);
}

describe("a thread of path managers that ends is replaced:", options, () => {
  const ends: readonly (readonly [string, string, RegExp])[] = [
    [
      "by what a timer throws",
      `setTimeout(() => { throw new Error("late") })`,
      /^error: the path managers' thread ended with Error: late \(at .*one\.js:\d+:\d+\)+; it is replaced$/,
    ],
    [
      "by process.exit()",
      "process.exit(3)",
      /^error: the path managers' thread ended with status 3, in one \(newLocalAddress\); it is replaced$/,
    ],
    [
      "by a message of its own to the daemon, which is none",
      `process.getBuiltinModule("node:worker_threads").parentPort.postMessage("words");
       for (const end = Date.now() + 500; Date.now() < end; );`,
      /^error: the path managers' thread sent a wrong message \(Invalid type: Expected Object but received "words"\), in one \(newLocalAddress\); it is replaced$/,
    ],
    [
      "as it takes too much memory",
      "for (const all = []; ; ) all.push(new Array(100_000).fill(0.5))",
      /^error: the path managers' thread (ended with Error: .*memory limit.*, in|takes more than 1 GiB of memory, in|was blocked for 2 s by) one \(newLocalAddress\); it is replaced$/,
    ],
  ];
  for (const [what, body, message] of ends)
    it(`${what}, at once, and then with more and more patience`, async (t) => {
      const { machine } = await withHandler(t, body);
      await trigger(machine);
      await machine.daemon.waitForLine(message, patience);
      await machine.daemon.waitForLine(/^error: one: fault 1 of 10$/);
      // The address is told to the next one, too.
      await machine.daemon.waitForLine(/; it is replaced in 1 s$/, patience);
      await machine.daemon.waitForLine(/; it is replaced in 2 s$/, patience);
      await machine.says(/^notice: the path managers are at work again$/, () =>
        machine.ip("addr del 10.0.9.1/24 dev eth0"),
      );
      await machine.has("10.0.0.1 eth0 subflow");
      await machine.stop();
    });
});

describe("a thread of path managers that holds more and more in buffers", options, () => {
  for (const [what, body] of [
    ["bit by bit", "const all = []; pm.every(20, () => all.push(Buffer.alloc(40e6, 1)))"],
    ["at one go", "for (const all = []; ; ) all.push(Buffer.alloc(40e6, 1))"],
  ] as const)
    it(`${what}, is replaced before that is too much, and the memory is free again`, async (t) => {
      const { machine } = await withHandler(t, body);
      const { daemon } = machine;
      // On a busy machine the thread may be blocked before.
      const from = daemon.lines.length;
      await trigger(machine);
      await daemon.waitForLine(
        /^error: the path managers' thread (takes more than 1 GiB of memory(, in one \(\w+\))?|was blocked for 2 s by one \(newLocalAddress\)); it is replaced( in \d s)?$/,
        { from, ...patience },
      );
      await machine.ip("addr del 10.0.9.1/24 dev eth0");
      await daemon.waitForLine(/^error: one: fault \d of 10/);
      const status = () => readFileSync(`/proc/${daemon.pid}/status`, "utf8");
      const sizeOf = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status())?.[1]);
      assert.ok(sizeOf("VmHWM") < 3 * 1024 * 1024, `${sizeOf("VmHWM")} KiB`);
      await waitFor("its memory to be free", () => sizeOf("VmRSS"), {
        until: (size) => size < 400 * 1024,
        deadlineMs: 20_000,
      });
      await machine.has("10.0.0.1 eth0 subflow");
      await machine.stop();
    });
});

describe("a file that nobody named, and that keeps the thread from loading,", options, () => {
  // What takes ten seconds is tried in one of the two cases, and in both in campaigns.
  const slowly = (usually: "at the start" | "later") => rounds([usually], ["at the start", "later"] as const);
  const ways = [
    {
      how: "as it ends it",
      code: "process.exit(3)",
      message: /the path managers' thread ended with status 3, in \S+\/bad\.js \(loading\)/,
      when: ["at the start", "later"],
    },
    {
      how: "as it blocks it",
      code: "while (true);",
      message: /the path managers' thread was blocked for 10 s by \S+\/bad\.js \(loading\)/,
      when: slowly("later"),
    },
    {
      how: "as it waits without end",
      code: "await new Promise(() => {})",
      message: /\S+\/bad\.js was not loaded in 10 s: an await at its top level does not end/,
      when: slowly("at the start"),
    },
    {
      how: "soon after",
      code: "setTimeout(() => process.exit(4))",
      message: /the path managers' thread ended with status 4, in \S+\/bad\.js \(loading\)/,
      when: ["at the start", "later"],
    },
  ] as const;
  for (const { how, code, message, when } of ways) {
    const warning = new RegExp(`^warning: plugin (bad|good): .*${message.source}; it is not loaded$`);

    if (when.some((time) => time === "at the start"))
      it(`${how}, is left out with a warning that names it, and mptcpd starts`, async (t) => {
        const { machine, plugins } = await withPlugins(t, { "good.js": plugin("good", "") });
        plugins.write("bad.js", `${code};\n${plugin("bad", "")}`);
        const config = plugins.config("path-manager=fullmesh");
        const daemon = machine.launch({ config });
        await daemon.waitForLine(/^notice: ready$/, patience);
        await daemon.waitForLine(warning);
        await machine.has("10.0.0.1 eth0 subflow");
        await machine.stop();
      });

    if (when.some((time) => time === "later"))
      it(`${how}, is left out when it comes later`, async (t) => {
        const { machine, plugins } = await withPlugins(t, { "good.js": plugin("good", "") });
        const daemon = await machine.start({ config: plugins.config("path-manager=fullmesh") });
        plugins.write("bad.js", `${code};\n${plugin("bad", "")}`);
        process.kill(daemon.pid, "SIGHUP");
        await daemon.waitForLine(warning, patience);
        await daemon.waitForLine(/^notice: configuration reloaded$/, patience);
        await machine.stop();
      });
  }
});

describe("a thread that ends again and again, nobody knows by whose fault,", options, () => {
  it("has those stopped that are from files, and a built-in path manager is at work", async (t) => {
    const managed = await ManagedHost.create(t, "client");
    const { machine } = managed;
    const plugins = new PluginDirectory(machine.lab, {
      "late.js": plugin("late", "newInterface() { setTimeout(() => process.exit(7), 20); }"),
    });
    const daemon = machine.launch({ config: plugins.config("path-manager=fullmesh\nplugin-faults=2") });
    await daemon.waitForLine(
      /^error: late: fault 1 of 2, as all from files: nobody knows whose it is$/,
      patience,
    );
    await daemon.waitForLine(
      /^error: late: fault 2 of 2, as all from files: nobody knows whose it is; it is stopped$/,
      patience,
    );
    await daemon.waitForLine(/^notice: the path managers are at work again$/, {
      from: daemon.lines.findIndex((line) => line.endsWith("it is stopped")),
      ...patience,
    });
    const port = await managed.serverPeer.listen({ address: "0.0.0.0", port: 0 });
    const socket = await managed.clientPeer.connect({ address: "10.0.1.1", port });
    await waitFor("two subflows", () => managed.serverPeer.subflowsAt(socket.port), {
      until: ({ length }) => length >= 2,
    });
    await machine.stop();
  });
});

describe("a plugin that is caught in a system call does not hold up mptcpd's end:", options, () => {
  const catches: readonly (readonly [string, string])[] = [
    ["in wait4, for a program", 'execSync("sleep SECONDS; true")'],
    ["in wait4, for programs of a program", 'execSync("sh -c \\"sleep SECONDS & sleep SECONDS; true\\"")'],
    ["in open, of a file that nobody opens", 'readFileSync("FIFO")'],
  ];
  for (const [what, call] of catches) {
    it(`${what}, SIGTERM ends it with 0, and no process is left`, async (t) => {
      const { machine, plugins, processes } = await withCall(t, (code) => plugin("one", handler(code)), call);
      await machine.start({ config: plugins.config("path-manager=one") });
      await trigger(machine);
      await isCaught(machine);
      await machine.stop();
      await noneOf(processes);
    });

    it(`${what}, also when it was replaced before`, async (t) => {
      const { machine, plugins, processes } = await withCall(t, (code) => plugin("one", handler(code)), call);
      await machine.start({ config: plugins.config("path-manager=one") });
      await trigger(machine);
      await isCaught(machine);
      await machine.ip("addr del 10.0.9.1/24 dev eth0");
      await machine.daemon.waitForLine(/^notice: the path managers are at work again$/, patience);
      await noneOf(processes);
      await machine.stop();
    });

    it(`${what}, also at the start, which fails, and in a check`, async (t) => {
      const { machine, plugins, processes } = await withCall(
        t,
        (code) => `${code};\n${plugin("one", "")}`,
        call,
      );
      const config = plugins.config("path-manager=one");
      const message = `the path managers' thread was blocked for 10 s by ${plugins.path}/one.js (loading)`;
      const [start, checked] = await Promise.all([
        machine.runToEnd({ config, deadlineMs: 30_000 }),
        check(machine, config, { deadlineMs: 30_000 }),
      ]);
      assert.deepEqual(start, { code: 1, lines: [`error: ${message}`] });
      assert.deepEqual(checked, { code: 1, lines: [`mptcpd: ${message}`] });
      await noneOf(processes);
    });
  }
});

async function trigger(machine: Machine): Promise<void> {
  await machine.ip("addr add 10.0.9.1/24 dev eth0");
}

/** A handler that does something when 10.0.9.1 comes. */
function handler(body: string): string {
  return `newLocalAddress({ address }) { if (address === "10.0.9.1") { ${body} } }`;
}

async function withHandler(t: Closer, body: string): Promise<{ machine: Machine; plugins: PluginDirectory }> {
  const { machine, plugins } = await withPlugins(t, { "one.js": plugin("one", handler(body)) });
  await machine.start({ config: plugins.config("path-manager=one") });
  return { machine, plugins };
}

let seconds = 1_000_000;

/** A plugin whose text is made of a system call, and a look at what it has started. */
async function withCall(t: Closer, text: (code: string) => string, call: string) {
  const { machine, plugins } = await withPlugins(t, {});
  const fifo = machine.lab.freshPath("fifo");
  await machine.host.run("mkfifo", fifo);
  const imports = `import { execSync } from "node:child_process"; import { readFileSync } from "node:fs";`;
  const mark = String(seconds++);
  const code = text(call.replace("FIFO", fifo).replaceAll("SECONDS", mark));
  plugins.write("one.js", `${imports}\n${code}`);
  const processes = () => machine.host.run("sh", "-c", `ps -eo args | grep "[s]leep ${mark}" || true`);
  return { machine, plugins, processes };
}

/** They were killed, but die when it is their turn. */
async function noneOf(processes: () => Promise<string>): Promise<void> {
  await waitFor("their end", processes, { until: (rows) => rows === "" });
}

/** Waits until a thread of mptcpd is in a system call that may take for ever. */
async function isCaught({ daemon, host }: Machine): Promise<void> {
  const read = () => host.run("sh", "-c", `cat /proc/${daemon.pid}/task/*/wchan`);
  await waitFor("a thread to be caught", read, {
    until: (text) => /do_wait|wait_for_partner|fifo_open/.test(text),
  });
}
