import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { median } from "../../bench/statistics.ts";
import {
  type ConnectOptions,
  mptcpConnect,
  mptcpListen,
  type StreamProtocol,
} from "../../src/kernel/native-sockets.ts";
import type { Input } from "../../src/kernel/netlink/wire.ts";
import { networkNamespaceCookie } from "../../src/kernel/network-namespace.ts";
import { Lab } from "../../src/lab/kit/lab.ts";
import { run } from "../../src/lab/kit/lab-process.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { waitFor, within } from "../../src/lab/kit/wait.ts";
import { bytesOf } from "../lab/datagram.ts";
import { collectGarbage, openSocket } from "../lab/netlink-socket.ts";

const RTM_DELLINK = 17;
const RTNLGRP_IPV4_IFADDR = 5;

describe("NetlinkSocket in a changing network", { skip: requires() }, () => {
  it("reports each overrun, and what comes after the report is received", async (t) => {
    const heard = new Set<string>();
    let overruns = 0;
    openSocket(t, {
      groups: [RTNLGRP_IPV4_IFADDR],
      receiveBuffer: 4096,
      onReceive: (input, senderPort, groups) => {
        assert.equal(senderPort, 0);
        assert.equal(groups, 1 << (RTNLGRP_IPV4_IFADDR - 1));
        heard.add(addressOf(bytesOf(input)));
      },
      onOverrun: () => {
        overruns++;
        ip("addr", "add", `127.${overruns}.255.1/32`, "dev", "lo", "label", "lo:addon");
      },
    });
    t.after(() => ip("addr", "flush", "dev", "lo", "label", "lo:addon"));
    for (const round of [1, 2]) {
      // The event loop is blocked for as long as this takes.
      const batch = Array.from({ length: 1000 }, (_, i) => {
        return `addr add 127.${round}.${i >> 8}.${i & 255}/32 dev lo label lo:addon`;
      });
      execFileSync("ip", ["-batch", "-"], { input: batch.join("\n") });
      await waitFor(`overrun ${round}`, () => overruns === round);
      await waitFor("a later message", () => heard.has(`127.${round}.255.1`));
    }
    assert.equal(overruns, 2);
    assert.ok(heard.size < 2002, "nothing was lost, so nothing was tested");
  });

  it("receives a burst whole, with its own receive buffer", { skip: requires({ root: true }) }, async (t) => {
    let received = 0;
    openSocket(t, { groups: [RTNLGRP_IPV4_IFADDR], onReceive: () => received++ });
    t.after(() => ip("addr", "flush", "dev", "lo", "label", "lo:addon"));
    const batch = Array.from({ length: 4000 }, (_, i) => {
      return `addr add 127.3.${i >> 8}.${i & 255}/32 dev lo label lo:addon`;
    });
    execFileSync("ip", ["-batch", "-"], { input: batch.join("\n") });
    await waitFor("all messages", () => received === 4000);
  });

  it("hears a group no more once it left it", async (t) => {
    const heard = new Set<string>();
    const add = (address: string) => ip("addr", "add", `${address}/32`, "dev", "lo", "label", "lo:addon");
    const leaver = openSocket(t, {
      groups: [RTNLGRP_IPV4_IFADDR],
      onReceive: (input) => heard.add(`leaver ${addressOf(bytesOf(input))}`),
    });
    openSocket(t, {
      groups: [RTNLGRP_IPV4_IFADDR],
      onReceive: (input) => heard.add(`stayer ${addressOf(bytesOf(input))}`),
    });
    t.after(() => ip("addr", "flush", "dev", "lo", "label", "lo:addon"));
    add("127.4.0.1");
    await waitFor("both to hear", () => heard.has("leaver 127.4.0.1") && heard.has("stayer 127.4.0.1"));
    leaver.leaveGroup(RTNLGRP_IPV4_IFADDR);
    add("127.4.0.2");
    await waitFor("one to hear", () => heard.has("stayer 127.4.0.2"));
    assert.equal(heard.has("leaver 127.4.0.2"), false);
  });

  it("goes on receiving when nobody holds it and the garbage was collected", async (t) => {
    const heard = new Set<string>();
    const { close } = forget(heard);
    t.after(close);
    t.after(() => ip("addr", "flush", "dev", "lo", "label", "lo:addon"));
    await collectGarbage();
    ip("addr", "add", "127.5.0.1/32", "dev", "lo", "label", "lo:addon");
    await waitFor("its message", () => heard.has("127.5.0.1"));
  });

  it("does not block the event loop while the kernel works off a message", async (t) => {
    const socket = openSocket(t);
    const group = 0xadd0;
    const links = Array.from({ length: 10 }, (_, i) => `link add addon${i} group ${group} type veth`);
    const turns: number[] = [];
    for (let round = 0; round < 20; round++) {
      execFileSync("ip", ["-batch", "-"], { input: links.join("\n") });
      let isSent = false;
      // Deletes them all within sendto(2), and waits there for RCU grace periods.
      const sent = socket.send(deleteLinksOf(group)).then(() => {
        isSent = true;
      });
      let count = 0;
      for (; !isSent; count++) await turn();
      await sent;
      assert.throws(() => ip("link", "show", "addon0"), /addon0/);
      turns.push(count);
    }
    t.diagnostic(`the event loop turned ${turns} times meanwhile`);
    // If this thread were in sendto(2), the loop would turn at most once a message: to deliver the result.
    assert.ok(median(turns) > 2, `${turns}`);
  });
});

describe("enterNetworkNamespaceAndExec", { skip: requires() }, () => {
  it("runs a program in another namespace, with signals and stdio as a shell gives them", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("elsewhere");
    await host.ip("link add inside type veth");
    const shell = "cat /proc/net/dev; grep SigIgn /proc/self/status; echo $0 $1; ls -l /proc/self/ns/net";
    const output = await enter(`/run/netns/${host.namespace}`, "/bin/sh", [
      "sh",
      "-c",
      shell,
      "name",
      "argument",
    ]);
    assert.match(output, /inside:/);
    assert.match(output, /^name argument$/m);
    assert.match(output, /^SigIgn:\s+0+$/m);
  });

  it("names the step that failed", async (t) => {
    const lab = await Lab.create(t);
    const { namespace } = await lab.host("elsewhere");
    await assert.rejects(enter("/run/netns/missing", "/bin/true", ["true"]), /ENOENT.*\/run\/netns\/missing/);
    await assert.rejects(
      enter("/etc/passwd", "/bin/true", ["true"]),
      /enter network namespace \/etc\/passwd.*EINVAL/,
    );
    await assert.rejects(enter(`/run/netns/${namespace}`, "/missing", ["x"]), /run \/missing.*ENOENT/);
  });

  it("has another cookie in there", {
    skip: networkNamespaceCookie() === undefined && "needs Linux 5.14",
  }, async (t) => {
    const lab = await Lab.create(t);
    const { namespace } = await lab.host("elsewhere");
    const print = `import(${JSON.stringify(namespaceUrl)}).then((namespaces) => console.log(String(namespaces.networkNamespaceCookie())))`;
    const output = await enter(`/run/netns/${namespace}`, process.execPath, ["node", "--eval", print]);
    assert.match(output, /^\d+\n$/);
    assert.notEqual(BigInt(output.trim()), networkNamespaceCookie());
  });
});

describe("mptcpListen and mptcpConnect", { skip: requires() }, () => {
  for (const [listenAddress, address] of [
    ["127.0.0.1", "127.0.0.1"],
    ["::1", "::1"],
    ["::", "127.0.0.1"],
  ] as const) {
    it(`carry bytes over MPTCP from ${address} to a listener on ${listenAddress}`, async (t) => {
      const before = mptcpConnections();
      const port = await listenEcho(t, listenAddress);
      assert.equal(await echo({ address, port, localAddress: address, device: "lo" }, "hello"), "hello");
      assert.ok(mptcpConnections() > before);
    });
  }

  it("speak plain TCP when told so", async (t) => {
    const port = await listenEcho(t, "127.0.0.1", "tcp");
    assert.equal(await echo({ address: "127.0.0.1", port, protocol: "tcp" }, "hello"), "hello");
  });

  it("say what failed", async () => {
    await assert.rejects(mptcpConnect({ address: "127.0.0.1", port: 1 }), {
      code: "ECONNREFUSED",
      message: /connect to 127\.0\.0\.1 port 1 \(mptcp\)/,
    });
    await assert.rejects(mptcpConnect({ address: "example.org", port: 1 }), { code: "EINVAL" });
    await assert.rejects(mptcpConnect({ address: "127.0.0.1", port: 1, device: "missing0" }), {
      code: "ENODEV",
    });
    assert.throws(() => mptcpListen({ address: "192.0.2.1", port: 0 }), { code: "EADDRNOTAVAIL" });
  });

  it("give up at the deadline", async (t) => {
    // Nobody accepts, so that the kernel ignores further handshakes once the backlog is full.
    const { fd, port } = mptcpListen({ address: "127.0.0.1", port: 0, backlog: 0, protocol: "tcp" });
    const sockets = [new Socket({ fd, readable: false, writable: false })];
    t.after(() => {
      for (const socket of sockets) socket.destroy();
    });
    const connect = async () => {
      const client = await mptcpConnect({ address: "127.0.0.1", port, protocol: "tcp", timeoutMs: 100 });
      sockets.push(new Socket({ fd: client }));
    };
    await assert.rejects(
      async () => {
        for (let i = 0; i < 5; i++) await connect();
      },
      { code: "ETIMEDOUT" },
    );
  });
});

/** Opens a socket that nothing but its callbacks can reach; a weak reference closes it at the end. */
function forget(heard: Set<string>): { close: () => void } {
  const onReceive = (input: Input) => heard.add(addressOf(bytesOf(input)));
  const socket = new WeakRef(openSocket(undefined, { groups: [RTNLGRP_IPV4_IFADDR], onReceive }));
  return { close: () => socket.deref()?.close() };
}

function ip(...args: string[]): string {
  return execFileSync("ip", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** The first attribute (IFA_ADDRESS) of an RTM_NEWADDR or RTM_DELADDR. */
function addressOf(data: Uint8Array): string {
  return data.subarray(28, 32).join(".");
}

/** RTM_DELLINK of all interfaces in a group. */
function deleteLinksOf(group: number): Uint8Array {
  const message = Buffer.alloc(40);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(RTM_DELLINK, 4);
  message.writeUInt16LE(1, 6); // NLM_F_REQUEST
  message.writeUInt16LE(8, 32);
  message.writeUInt16LE(27, 34); // IFLA_GROUP
  message.writeUInt32LE(group, 36);
  return message;
}

const namespaceUrl = new URL("../../src/kernel/network-namespace.js", import.meta.url).href;

/** Runs a Node process that turns into `file`; gives its output. */
function enter(namespaceFile: string, file: string, argv: readonly string[]): Promise<string> {
  const args = [namespaceFile, file, argv].map((arg) => JSON.stringify(arg));
  const script = `import(${JSON.stringify(namespaceUrl)}).then((namespaces) => namespaces.enterNetworkNamespaceAndExec(${args}))`;
  return run(process.execPath, ["--eval", script]);
}

/** Connections of this namespace whose peer answered MP_CAPABLE, server side. */
function mptcpConnections(): number {
  const [names = "", values = ""] = readFileSync("/proc/net/netstat", "utf8")
    .split("\n")
    .filter((line) => line.startsWith("MPTcpExt:"));
  return Number(values.split(" ")[names.split(" ").indexOf("MPCapableACKRX")]);
}

async function listenEcho(
  t: TestContext,
  address: string,
  protocol: StreamProtocol = "mptcp",
): Promise<number> {
  const { fd, port } = mptcpListen({ address, port: 0, protocol });
  const server = createServer((socket) => socket.pipe(socket));
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen({ fd }, resolve));
  return port;
}

async function echo(options: ConnectOptions, text: string): Promise<string> {
  const socket = new Socket({ fd: await mptcpConnect(options) });
  socket.end(text);
  const chunks = await within("the echo", socket.toArray());
  return Buffer.concat(chunks).toString();
}
