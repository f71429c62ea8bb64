import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { Lab, twoPaths } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { startTraffic } from "../../src/lab/kit/traffic.ts";
import { eventually, waitFor } from "../../src/lab/kit/wait.ts";
import { Machine } from "../lab/machine.ts";
import { isInMachine } from "../lab/vm.ts";

describe("the lab", { skip: requires() }, () => {
  it("gives each host a network of its own", async (t) => {
    const lab = await Lab.create(t);
    const client = await lab.host("client");
    const server = await lab.host("server");
    assert.equal(await lab.host("client"), client);
    await client.ip("addr add 10.9.9.9/32 dev lo");
    assert.match(await client.run("ip", "addr"), /10\.9\.9\.9/);
    assert.doesNotMatch(await server.run("ip", "addr"), /10\.9\.9\.9/);
  });

  it("says what a failed command wrote", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("client");
    await assert.rejects(
      host.ip("link set nosuch up"),
      /ip .*link set nosuch up: exit 1\nCannot find device/,
    );
    await assert.rejects(host.ipBatch(["link set lo up", "link set nosuch up"]), /Cannot find device/);
  });

  it("cuts a cable without touching what is configured at its ends", async (t) => {
    const lab = await Lab.create(t);
    const client = await lab.host("client");
    const server = await lab.host("server");
    const cable = await lab.link({
      a: [client, "eth0", "10.0.1.2/24", "fd00:1::2/64"],
      b: [server, "eth0", "10.0.1.1/24"],
    });
    const before = await waitFor("both ends up", () => Promise.all([client, server].map(describeEth0)), {
      until: (ends) => ends.every((end) => end.includes(" UP ")),
    });
    await cable.cut();
    for (const host of [client, server]) {
      await eventually("no carrier", async () => assert.match(await describeEth0(host), /DOWN/));
    }
    assert.match(await describeEth0(client), /10\.0\.1\.2\/24 fd00:1::2\/64/);
    await cable.restore();
    await eventually("as before", async () => assert.equal(await describeEth0(client), before[0]));
  });

  it("joins two hosts by two paths, each with IPv4 and IPv6 usable at once", async (t) => {
    const lab = await Lab.create(t);
    const { client, server } = await twoPaths(lab);
    const listener = server.spawn(process.execPath, ["-e", echoServer]);
    await listener.waitForLine(/ready/);
    for (const i of [1, 2]) {
      for (const [from, to] of [
        [`10.0.${i}.2`, `10.0.${i}.1`],
        [`fd00:${i}::2`, `fd00:${i}::1`],
        // A subflow to the other path's address, as MP_JOIN opens it.
        [`10.0.${i}.2`, `10.0.${3 - i}.1`],
      ]) {
        const seen = await client.run(process.execPath, "-e", askForOwnAddress, `${from}`, `${to}`);
        assert.equal(seen.replace("::ffff:", ""), from);
      }
    }
  });

  it("transfers over MPTCP on both paths, and counts the same at both ends", async (t) => {
    const lab = await Lab.create(t);
    const { client, server } = await twoPaths(lab, { rate: "200mbit" });
    await client.ip("mptcp endpoint add 10.0.2.2 dev eth2 subflow");
    const traffic = await startTraffic({ from: client, to: server, address: "10.0.1.1" });
    for (const name of ["eth1", "eth2"])
      await waitFor(`bytes by ${name}`, () => client.bytesSent(name), { until: (sent) => sent > 1_000_000 });
    const { sent, received } = await traffic.finish();
    assert.ok(received.bytes > 1_000_000);
    assert.deepEqual(received, sent);
  });

  it("transfers as many bytes as are asked for", async (t) => {
    const { client, server } = await twoPaths(await Lab.create(t));
    const traffic = await startTraffic({ from: client, to: server, address: "10.0.1.1", bytes: 5_000_000 });
    const { sent, received } = await traffic.finish();
    assert.equal(received.bytes, 5_000_000);
    assert.deepEqual(received, sent);
  });

  it("keeps a steady transfer going until it is told to finish", async (t) => {
    const lab = await Lab.create(t);
    const { client, server } = await twoPaths(lab);
    const traffic = await startTraffic({ from: client, to: server, address: "fd00:1::1", rate: 10_000_000 });
    await traffic.moves(200_000);
    const { sent, received } = await traffic.finish();
    assert.ok(sent.bytes >= 200_000);
    assert.deepEqual(received, sent);
  });

  it("gives each host the kernel's settings, whatever systemd or a container engine has set on this machine", async (t) => {
    const host = await (await Lab.create(t)).host("one");
    const names = ["rp_filter", "forwarding", "promote_secondaries", "arp_ignore", "arp_announce"];
    for (const group of ["all", "default"])
      for (const name of names)
        assert.equal(await host.sysctl(`net.ipv4.conf.${group}.${name}`), "0", `${group}.${name}`);
  });

  it("reads and writes sysctls of the host alone", async (t) => {
    const lab = await Lab.create(t);
    const client = await lab.host("client");
    const server = await lab.host("server");
    await client.sysctl("net.mptcp.stale_loss_cnt", 7);
    assert.equal(await client.sysctl("net.mptcp.stale_loss_cnt"), "7");
    assert.notEqual(await server.sysctl("net.mptcp.stale_loss_cnt"), "7");
  });

  it("reads endpoints and limits", async (t) => {
    const lab = await Lab.create(t);
    const client = await lab.host("client");
    await lab.link({ a: [client, "eth0", "10.0.1.2/24"] });
    await client.ip("mptcp endpoint add 10.0.1.2 id 5 dev eth0 subflow backup");
    await client.ip("mptcp limits set subflows 3 add_addr_accepted 1");
    assert.deepEqual(await client.endpoints(), [
      { id: 5, address: "10.0.1.2", dev: "eth0", flags: ["subflow", "backup"] },
    ]);
    assert.deepEqual(await client.limits(), { subflows: 3, addAddrAccepted: 1 });
  });

  it("lends the test's own namespace, and tidies it up", async (t) => {
    const visitor = await Lab.create();
    const here = await visitor.here();
    await visitor.link({ a: [here, "eth0", "10.0.1.2/24"] });
    await here.ip("addr add 192.0.2.1/32 dev lo");
    await here.ip("mptcp endpoint add 10.0.1.2 subflow");
    assert.match(readFileSync("/proc/net/dev", "utf8"), /eth0/);
    await visitor.close();
    const next = await (await Lab.create(t)).here();
    assert.deepEqual(await next.endpoints(), []);
    assert.doesNotMatch(await next.ip("addr"), /eth0|192\.0\.2\.1/);
  });

  it("finds lines written before and after the question, and fails at once when the process has ended", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("client");
    const child = host.spawn("sh", ["-c", "echo one; read line; echo got $line >&2"]);
    await child.waitForLine(/one/);
    child.stdin.write("two\n");
    assert.equal((await child.waitForLine(/got (.*)/))[1], "two");
    await assert.rejects(
      child.waitForLine(/three/),
      /ended without a line like .*three.*wrote:\none\ngot two/s,
    );
    assert.deepEqual(await child.exited, { code: 0, signal: null });
  });

  it("leaves no process, namespace or file behind when it is closed", async () => {
    const lab = await Lab.create();
    const host = await lab.host("client");
    const cable = await lab.link({ a: [host, "eth0", "10.0.1.2/24"] });
    assert.ok(cable);
    const child = host.spawn("sh", ["-c", "trap '' TERM; echo up; while read line; do :; done"]);
    await child.waitForLine(/up/);
    const { directory } = lab;
    await lab.close();
    assert.deepEqual(child.exit, { code: null, signal: "SIGKILL" });
    assert.equal(existsSync(`/proc/${child.pid}`), false);
    assert.equal(existsSync(directory), false);
    assert.deepEqual(
      readdirSync("/run/netns").filter((name) => directory.includes(name.slice(0, name.lastIndexOf("-")))),
      [],
    );
    await lab.close();
  });

  it("ends what a process has left behind with its output open", async () => {
    const lab = await Lab.create();
    const host = await lab.host("client");
    const child = host.spawn("sh", ["-c", "sleep 1000 & echo $!"]);
    const [pid] = await child.waitForLine(/^\d+$/);
    await lab.close();
    await eventually("its end", () => assert.equal(existsSync(`/proc/${pid}`), false));
  });

  it("works in a network that is not the machine's", () => {
    const interfaces = readFileSync("/proc/net/dev", "utf8")
      .split("\n")
      .slice(2)
      .filter((line) => line !== "");
    assert.deepEqual(
      interfaces.map((line) => line.split(":")[0]?.trim()),
      ["lo"],
    );
  });
});

describe("a sandbox", { skip: requires() || isInMachine("plain") }, () => {
  it("has one test file in it, so that none sees what another does to its network and its processes", () => {
    // The first process there is the shell that has prepared it, and not the runner of all files.
    assert.equal(process.ppid, 1);
  });
});

describe("a machine", { skip: requires() }, () => {
  it("finds that something happened, also when it is undone at once", async (t) => {
    const machine = await Machine.create(t);
    await machine.start();
    await machine.has("10.0.0.1 eth0 subflow");
    await assert.rejects(
      machine.nothingHappens(() => machine.ip("addr add 10.0.0.2/24 dev eth0")),
      /10\.0\.0\.2 .*: added/,
    );
    await assert.rejects(
      machine.nothingHappens(async () => {
        await machine.ip("addr del 10.0.0.2/24 dev eth0");
        await machine.hasEndpointsAt(["10.0.0.1"]);
        await machine.ip("addr add 10.0.0.2/24 dev eth0");
        await machine.hasEndpointsAt(["10.0.0.1", "10.0.0.2"]);
      }),
      /10\.0\.0\.2 .*: deleted/,
    );
  });

  it("shows what is there instead of the endpoints that were expected, and the daemon's log", async (t) => {
    const machine = await Machine.create(t);
    await machine.start();
    const complaint = /10\.0\.0\.1.*mptcpd wrote:\n.*notice: ready/s;
    await Promise.all([
      assert.rejects(machine.has(), complaint),
      assert.rejects(machine.has("10.0.0.1 eth0 signal"), complaint),
      assert.rejects(machine.hasEndpointsAt(["10.0.0.1", "10.0.0.2"]), complaint),
    ]);
  });
});

describe("waitFor", () => {
  it("names the last value seen when the deadline has passed", async () => {
    await assert.rejects(
      waitFor("the moon", () => ({ seen: "clouds" }), { until: () => false, deadlineMs: 1 }),
      /waited 1 ms for the moon; last seen: \{ seen: 'clouds' \}/,
    );
  });

  it("takes an error for 'not yet', and shows it when it stays", async () => {
    let reads = 0;
    const read = () => {
      if (++reads < 3) throw new Error("cloudy");
      return reads;
    };
    assert.equal(await waitFor("the moon", read), 3);
    await assert.rejects(
      eventually("the moon", () => assert.equal(1, 2), { deadlineMs: 1 }),
      /last seen: AssertionError/,
    );
  });
});

async function describeEth0(host: {
  run(...command: [string, ...string[]]): Promise<string>;
}): Promise<string> {
  return (await host.run("ip", "-br", "addr", "show", "dev", "eth0")).replace(/ fe80::\S+/, "").trim();
}

const echoServer = `
require("node:net").createServer((socket) => socket.end(socket.remoteAddress))
  .listen(4000, "::", () => console.log("ready"))`;

const askForOwnAddress = `
const [localAddress, host] = process.argv.slice(-2);
require("node:net").connect({ localAddress, host, port: 4000 }).pipe(process.stdout)`;
