import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { Processes } from "../../src/kernel/processes.ts";
import { checkout } from "../../src/lab/kit/checkout.ts";
import type { Host } from "../../src/lab/kit/host.ts";
import { Lab, twoPaths } from "../../src/lab/kit/lab.ts";
import type { LabProcess } from "../../src/lab/kit/lab-process.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { startTraffic } from "../../src/lab/kit/traffic.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { listAllSockets } from "../../src/services/status-sockets.ts";
import { launcher } from "../lab/launcher.ts";

type Socket = {
  protocol: string;
  state: string;
  local: { address: string; port: number };
  fallback: boolean;
  subflows: number | null;
  netns: number;
  processes: { pid: number; name: string }[];
};
type Process = { pid: number; name: string; library: boolean | null; sockets: Socket[] };
type Outcome = { code: number | null; stdout: string; stderr: string };

/** Units are looked for where there are none, whatever the machine around has. */
const nowhere = { XDG_CONFIG_HOME: "/run/mptcpd-lab/none", XDG_RUNTIME_DIR: "/run/mptcpd-lab/none" };

function status(words: readonly (string | number)[], before: readonly string[] = []): Outcome {
  const [command = "", ...args] = [
    ...before,
    join(checkout, "bin/mptcpize"),
    "status",
    "--user",
    ...words.map(String),
  ];
  const { MPTCPD_ADDON: _, ...environment } = process.env;
  const {
    status: code,
    stdout,
    stderr,
  } = spawnSync(command, args, {
    encoding: "utf8",
    env: { ...environment, ...nowhere, MPTCPD_NODE: process.execPath },
  });
  return { code, stdout, stderr };
}

function processes(...words: readonly number[]): Process[] {
  const { code, stdout, stderr } = status(["--json", ...words]);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  return JSON.parse(stdout).processes;
}

/** The only process of the answer. */
function single(pid: number): Process {
  const [found] = processes(pid);
  assert.ok(found);
  return found;
}

function inWords({ protocol, state, fallback, subflows }: Socket): string {
  return `${protocol} ${state}${fallback ? " fallback" : ""} ${subflows ?? "-"}`;
}

/** Runs a script of Node in a host, as it is or by `mptcpize run`; it says "ready" when it is. */
async function start(host: Host, script: string, { converted = true } = {}): Promise<LabProcess> {
  // Node 24 calls itself "MainThread" if it is not given a name.
  const node = [process.execPath, "--eval", `process.title = "node"; ${script}`];
  const [command = "", ...args] = converted ? [launcher, "run", "--", ...node] : node;
  const child = host.spawn(command, args);
  await child.waitForLine(/^ready/);
  return child;
}

const server = (port: number) =>
  `const net = require("node:net"); net.createServer(() => {}).listen(${port}, "127.0.0.1", () => console.log("ready"));`;
const client = (port: number) =>
  `const net = require("node:net"); net.connect(${port}, "127.0.0.1", () => console.log("ready"));`;

async function oneHost(t: TestContext): Promise<Host> {
  return (await Lab.create(t)).host("one");
}

describe("mptcpize status", { skip: requires({ root: true }) }, () => {
  it("shows the subflows of both ends, which are in network namespaces of their own", async (t) => {
    const lab = await Lab.create(t);
    const hosts = await twoPaths(lab);
    await hosts.client.ip("mptcp endpoint add 10.0.2.2 dev eth2 subflow");
    const main = join(import.meta.dirname, "../../src/lab/kit/traffic-main.js");
    const program = [launcher, "run", "--", process.execPath, main] as const;
    const traffic = await startTraffic({
      from: hosts.client,
      to: hosts.server,
      address: "10.0.1.1",
      protocol: "tcp",
      rate: 1_000_000,
      program,
    });
    const ends = await waitFor("two subflows", () => processes(traffic.sender.pid, traffic.receiver.pid), {
      until: (found) => found.every(({ sockets }) => sockets.some(({ subflows }) => subflows === 2)),
    });
    assert.deepEqual(
      ends.map(({ sockets }) => sockets.map(inWords)),
      [["mptcp established 2"], ["mptcp listen -", "mptcp established 2"]],
    );
    assert.deepEqual(
      ends.map(({ library }) => library),
      [true, true],
    );
    assert.equal(new Set(ends.flatMap(({ sockets }) => sockets.map(({ netns }) => netns))).size, 2);
    await traffic.finish();
  });

  it("tells a connection that fell back from one that was TCP from the start", async (t) => {
    const host = await oneHost(t);
    const mptcp = await start(host, server(81));
    const tcp = await start(host, server(82), { converted: false });
    const toTcp = await start(host, client(82));
    await start(host, client(81), { converted: false });
    await waitFor("the connections to be accepted", () => processes(mptcp.pid, tcp.pid), {
      until: (found) => found.every(({ sockets }) => sockets.length === 2),
    });
    assert.deepEqual(single(mptcp.pid).sockets.map(inWords), [
      "mptcp listen -",
      "tcp established fallback -",
    ]);
    assert.deepEqual(single(tcp.pid).sockets.map(inWords), ["tcp listen -", "tcp established -"]);
    assert.deepEqual(single(toTcp.pid).sockets.map(inWords), ["mptcp established fallback 1"]);
    assert.equal(single(tcp.pid).library, false);
  });

  it("lists a socket with each of the processes that share it", async (t) => {
    const host = await oneHost(t);
    const parent = await start(
      host,
      `const listener = require("node:net").createServer().listen(83, () => {
         const child = require("node:child_process").spawn("sleep", ["60"], { stdio: ["ignore", "ignore", "ignore", listener._handle] });
         console.log("ready", child.pid);
       });`,
    );
    const child = Number(/ready (\d+)/.exec(parent.output)?.[1]);
    const ports = processes(parent.pid, child).map(({ sockets }) =>
      sockets.map(({ local, processes }) => [local.port, processes]),
    );
    assert.deepEqual(ports, [
      [[83, [{ pid: parent.pid, name: "node" }]]],
      [[83, [{ pid: child, name: "sleep" }]]],
    ]);
  });

  it("finds by itself every process with MPTCP sockets, and only those", async (t) => {
    const host = await oneHost(t);
    const mptcp = await start(host, server(84));
    const tcp = await start(host, server(85), { converted: false });
    const found = processes().map(({ pid }) => pid);
    assert.ok(found.includes(mptcp.pid));
    assert.ok(!found.includes(tcp.pid));
  });

  it("is a table for people", async (t) => {
    const { pid } = await start(await oneHost(t), server(86));
    const { stdout } = status([pid]);
    assert.deepEqual(stdout.split("\n"), [
      `process ${pid} (node), has the library, has GODEBUG=multipathtcp=1`,
      "  MPTCP: 1 of 1 listeners",
      "  PROTOCOL  STATE   LOCAL         REMOTE  SUBFLOWS  PROCESS",
      `  mptcp     listen  127.0.0.1:86  *       -         node[${pid}]`,
      "",
    ]);
  });

  it("counts every listener of a port that several share (SO_REUSEPORT)", {
    skip: requires({ tools: ["python3"] }),
  }, async (t) => {
    const host = await oneHost(t);
    const script = `
import socket, time
made = [socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol) for protocol in [262] * 8 + [6] * 3]
for listener in made:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("0.0.0.0", 89))
    listener.listen(5)
print("ready", flush=True)
time.sleep(60)`;
    const child = host.spawn("python3", ["-c", script]);
    await child.waitForLine(/^ready$/);
    assert.match(status([child.pid]).stdout, /^ {2}MPTCP: 8 of 11 listeners$/m);
    const asNobody = ["nsenter", `--net=${host.path}`, "setpriv", "--reuid", "65534", "--clear-groups", "--"];
    assert.equal(status([child.pid], asNobody).code, 0);
  });

  it("goes on by another process of a network namespace when one has ended, or without the namespace", async (t) => {
    const { pid } = await start(await oneHost(t), server(90));
    const processes = new Processes();
    const living = processes.find(pid);
    assert.ok(living);
    const ended = { ...living, pid: 4_194_303 };
    const networks = async (...holders: ReturnType<Processes["list"]>) => {
      const { lists, closed } = await listAllSockets(processes, holders);
      assert.deepEqual(closed, []);
      return lists.map(({ networkNamespace }) => networkNamespace).includes(living.networkNamespace ?? 0);
    };
    assert.equal(await networks(ended, living), true);
    assert.equal(await networks(ended), false);
    // Its process id belongs to another one by now, in another network namespace.
    assert.equal(await networks({ ...living, pid: process.pid }), false);
  });

  it("shows a user what it may see, and says that there is more", async (t) => {
    const host = await oneHost(t);
    const { pid } = await start(host, server(87));
    const asNobody = ["nsenter", `--net=${host.path}`, "setpriv", "--reuid", "65534", "--clear-groups", "--"];
    const { code, stdout, stderr } = status(["--json"], asNobody);
    assert.equal(code, 0);
    assert.match(
      stderr,
      /^mptcpize: the sockets of some processes cannot be read; run it as root to see all\n$/,
    );
    const { processes: found, partial } = JSON.parse(stdout);
    assert.equal(partial, true);
    assert.ok(!found.some((process: Process) => process.pid === pid));
    assert.match(status([pid], asNobody).stdout, /^process \d+ \(node\)\n {2}MPTCP: only root can tell\n$/);
  });

  it("shows what there is, and says in a line each what there is not", async (t) => {
    const { pid } = await start(await oneHost(t), server(88));
    const { code, stdout, stderr } = status([4_194_303, "a/../b*", pid]);
    assert.equal(code, 1);
    assert.match(stdout, new RegExp(`^process ${pid} \\(node\\)`));
    assert.deepEqual(stderr.split("\n").toSorted().slice(1), [
      'mptcpize: "b*" is not a unit name: letters, digits and :-_.\\ are allowed, and one @',
      "mptcpize: there is no process 4194303",
    ]);
  });

  it("says in one line that there is no such process, or no systemd to ask for a unit", () => {
    assert.deepEqual(status([4_194_303]), {
      code: 1,
      stdout: "",
      stderr: "mptcpize: there is no process 4194303\n",
    });
    const { code, stdout, stderr } = status(["nginx"]);
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
    assert.match(stderr, /^mptcpize: systemctl .+\n$/);
  });

  it("warns where MPTCP is switched off", async (t) => {
    const host = await oneHost(t);
    await host.sysctl("net.mptcp.enabled", 0);
    const { stderr } = status([process.pid], ["nsenter", `--net=${host.path}`]);
    assert.equal(stderr, "mptcpize: net.mptcp.enabled is 0: new sockets are TCP\n");
  });
});
