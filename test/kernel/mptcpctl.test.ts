import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkout } from "../lab/checkout.ts";
import { startDaemon } from "../lab/daemon.ts";
import type { Host } from "../lab/host.ts";
import { Lab } from "../lab/lab.ts";
import { CommandError, run } from "../lab/process.ts";
import { requires } from "../lab/requires.ts";
import { startTraffic } from "../lab/traffic.ts";
import { twoPaths } from "../lab/two-paths.ts";
import { eventually, waitFor, within } from "../lab/wait.ts";
import { inHost } from "./in-host.ts";

const program = join(checkout, "bin/mptcpctl");

type Outcome = { code: number | string | undefined; stdout: string; stderr: string };

async function outcome(command: Promise<string>): Promise<Outcome> {
  try {
    return { code: 0, stdout: await command, stderr: "" };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { code: error.code, stdout: "", stderr: error.stderr };
  }
}

function words(line: string): string[] {
  return line.split(" ").filter((word) => word !== "");
}

function ctl(host: Host, line: string): Promise<string> {
  return host.run(program, ...words(line));
}

async function refuses(host: Host, line: string, code: number, message: string | RegExp) {
  const { code: actual, stdout, stderr } = await outcome(ctl(host, line));
  assert.deepEqual({ code: actual, stdout }, { code, stdout: "" }, line);
  if (typeof message === "string") assert.equal(stderr, `mptcpctl: ${message}\n`);
  else assert.match(stderr, message);
  assert.match(stderr, /^mptcpctl: .+\n$/, "one line");
}

/** A host with two interfaces, with addresses to bind to. */
async function hostWithTwoInterfaces(lab: Lab, name: string): Promise<Host> {
  const host = await lab.host(name);
  await lab.link({ a: [host, "eth1", "10.0.1.2/24", "fd00:1::2/64"] });
  await lab.link({ a: [host, "eth2", "10.0.2.2/24", "fd00:2::2/64"] });
  return host;
}

describe("mptcpctl and ip mptcp", { skip: requires() }, () => {
  it("print the same, byte for byte", async (t) => {
    const host = await hostWithTwoInterfaces(await Lab.create(t), "one");
    const compare = async () => {
      for (const line of ["endpoint show", "endpoint", "limits show", "limits"])
        assert.equal(await ctl(host, line), await host.ip(`mptcp ${line}`), line);
      for (const options of ["-j", "-j -p"])
        assert.equal(
          await ctl(host, `${options} endpoint show`),
          await host.ip(`${options} mptcp endpoint show`),
          options,
        );
    };
    await compare();
    await host.ipBatch([
      "mptcp limits set subflows 5 add_addr_accepted 3",
      "mptcp endpoint add 10.0.1.2 dev eth1 subflow",
      "mptcp endpoint add 10.0.2.2 id 200 port 8080 signal backup dev eth2",
      "mptcp endpoint add fd00:1::2 subflow fullmesh backup",
      "mptcp endpoint add 192.0.2.1",
      "mptcp endpoint add 2001:db8::ffff:0:0:1 dev lo signal",
    ]);
    await compare();
    for (const id of [1, 200])
      assert.equal(await ctl(host, `endpoint show id ${id}`), await host.ip(`mptcp endpoint show id ${id}`));
    assert.equal(await ctl(host, "-j endpoint show id 200"), await host.ip("-j mptcp endpoint show id 200"));
  });

  it("do the same", async (t) => {
    const lab = await Lab.create(t);
    const mine = await hostWithTwoInterfaces(lab, "mine");
    const ips = await hostWithTwoInterfaces(lab, "ips");
    for (const line of [
      "endpoint add 10.0.1.2 dev eth1 subflow",
      "e a 10.0.2.2 d eth2 i 0x10 subflow backup fullmesh",
      "endpoint add 10.0.2.2 signal",
      "endpoint add fd00:2::2 port 9000 signal",
      "endpoint add fd00:1::2 port 9000 signal subflow",
      "endpoint add 10.0.9.9 id 16",
      "endpoint add 10.0.9.9 id 017 dev lo",
      "endpoint add 10.0.9.8 dev nosuch",
      "endpoint change id 1 backup fullmesh",
      "endpoint change id 1 backup",
      "endpoint change 10.0.2.2 nobackup",
      "endpoint change fd00:2::2 port 9000 backup",
      "endpoint change fd00:2::2 fullmesh",
      "endpoint change id 77 backup",
      "endpoint delete id 77",
      "endpoint delete id 0 10.0.1.2",
      "endpoint del id 16",
      "limits set subflows 4",
      "limits set add_addr_accepted 2",
      "l set sub 0 add 1",
      "limits set subflows 1000000",
      "endpoint show id 1",
      "endpoint show id 99",
      "endpoint flush",
    ]) {
      const [ours, theirs] = await Promise.all([outcome(ctl(mine, line)), outcome(ips.ip(`mptcp ${line}`))]);
      assert.deepEqual(
        { failed: ours.code !== 0, stdout: ours.stdout },
        { failed: theirs.code !== 0, stdout: theirs.stdout },
        line,
      );
      const [after, wanted] = await Promise.all(
        [mine, ips].map(async (host) => [await host.endpoints(), await host.limits()]),
      );
      assert.deepEqual(after, wanted, line);
    }
  });

  it("name the same flag, which old versions of ip have as a number", async (t) => {
    const host = await (await Lab.create(t)).host("one");
    await ctl(host, "endpoint add 192.0.2.1 laminar");
    // Kernels before 6.18 drop the flag.
    const known = (await host.ip("mptcp endpoint show")).replace("rawflags 20", "laminar");
    assert.equal(await ctl(host, "endpoint show"), known);
  });

  it("watch the same events, of which ours have the newest names", async (t) => {
    const lab = await Lab.create(t);
    const { client, server } = await twoPaths(lab);
    await client.ip("mptcp endpoint add 10.0.2.2 dev eth2 subflow");
    for (const host of [client, server]) {
      const theirs = host.spawn("ip", ["mptcp", "monitor"]);
      const ours = host.spawn(program, ["monitor"]);
      const json = host.spawn(program, ["-j", "monitor"]);
      await monitorsListen(host, 3);
      const traffic = await startTraffic({ from: client, to: server, address: "10.0.1.1", bytes: 100_000 });
      await theirs.waitForLine(/SF_ESTABLISHED/);
      await traffic.finish();
      for (const monitor of [theirs, ours, json]) await monitor.waitForLine(/[ "[]CLOSED[\]"]/);
      await eventually("every event in all three", () => {
        assert.equal(ours.lines.length, theirs.lines.length);
        assert.equal(json.lines.length, theirs.lines.length);
      });
      assert.deepEqual(ours.lines.map(inOldWords), theirs.lines.map(inOldWords));
      const names = ours.lines.map((line) => /^\[ *([A-Z_]+)\]/.exec(line)?.[1]);
      assert.deepEqual(
        json.lines.map((line) => JSON.parse(line).event),
        names,
      );
      if (host === server) {
        assert.ok(names.includes("LISTENER_CREATED"));
        assert.match(
          ours.output,
          new RegExp(`^\\[LISTENER_CREATED\\] saddr4=10.0.1.1 sport=${traffic.port}$`, "m"),
        );
        assert.match(ours.output, /ESTABLISHED\] token=.* server_side$/m);
      } else assert.match(ours.output, /SF_ESTABLISHED\] token=.* ifindex=\d+ dev=eth2$/m);
    }
  });
});

/** What iproute2 6.1 prints of an event: see event-format.ts. Newer versions print more and more of ours. */
function inOldWords(line: string): string {
  return line
    .replace(/^\[ */, "[")
    .replace(/^\[LISTENER_CREATED\].*/, "[UNKNOWN 15]")
    .replace(/^\[LISTENER_CLOSED\].*/, "[UNKNOWN 16]")
    .replace(/ dev=\S+/, "")
    .replace(" server_side", " flags=2");
}

/** Waits until so many sockets of a host listen to events. */
async function monitorsListen(host: Host, count: number): Promise<void> {
  const netlinkGeneric = "16";
  await waitFor(
    `${count} monitors`,
    async () => {
      const rows = (await host.run("cat", "/proc/net/netlink")).split("\n").map((row) => row.split(/\s+/));
      return rows.filter(([, protocol, , groups]) => protocol === netlinkGeneric && groups !== "00000000")
        .length;
    },
    { until: (listening) => listening === count },
  );
}

describe("mptcpctl", { skip: requires() }, () => {
  it("gives the kernel's words and exit status 1 when the kernel refuses", async (t) => {
    const host = await (await Lab.create(t)).host("one");
    await ctl(host, "endpoint add 192.0.2.1");
    await refuses(
      host,
      "endpoint add 192.0.2.1",
      1,
      /cannot add endpoint 192\.0\.2\.1: .*duplicate.* \(EEXIST\)/,
    );
    await refuses(host, "endpoint delete id 9", 1, "cannot delete endpoint id 9: address not found (EINVAL)");
    await refuses(host, "limits set subflows 1000000", 1, /limit greater than maximum \(\d+\) \(EINVAL\)/);
    await refuses(host, "endpoint add 192.0.2.2 dev eth9", 1, /there is no interface eth9 \(ENODEV\)/);
    await refuses(
      host,
      "endpoint show 192.0.2.9",
      1,
      "cannot show endpoint 192.0.2.9: there is none (ENOENT)",
    );
    await refuses(host, "endpoint show token 1", 1, /cannot list addresses of connection 0x00000001: /);
  });

  it("gives what is allowed and exit status 2 when it does not understand", async (t) => {
    const host = await (await Lab.create(t)).host("one");
    await refuses(
      host,
      "endpoint foo",
      2,
      'endpoint: "foo" is not understood; allowed: add, change, delete, show, flush',
    );
    await refuses(
      host,
      "limits set foo",
      2,
      'limits set: "foo" is not understood; allowed: subflows NR, add_addr_accepted NR',
    );
    await refuses(host, "", 2, "a command is missing; allowed: endpoint, limits, monitor, explain, adopt");
  });

  it("explains what privilege it lacks, and shows what needs none", async (t) => {
    const host = await (await Lab.create(t)).host("one");
    await host.ip("mptcp endpoint add 192.0.2.1");
    const unprivileged = (line: string) =>
      outcome(
        host.run("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", program, ...words(line)),
      );
    for (const line of ["endpoint flush", "endpoint add 192.0.2.2", "limits set subflows 3", "monitor"]) {
      const { code, stderr } = await unprivileged(line);
      assert.equal(code, 1, line);
      assert.match(
        stderr,
        /^mptcpctl: cannot .+: operation not permitted \(EPERM\); it takes CAP_NET_ADMIN .+\n$/,
      );
    }
    assert.equal((await unprivileged("endpoint")).stdout, "192.0.2.1 id 1 \n");
    assert.match((await unprivileged("limits")).stdout, /^add_addr_accepted/);
  });

  it("finds endpoints by address, which the kernel does not", async (t) => {
    const host = await (await Lab.create(t)).host("one");
    await host.ip("mptcp endpoint add 192.0.2.1 subflow");
    await host.ip("mptcp endpoint add 2001:db8::1 signal");
    assert.equal(await ctl(host, "endpoint show 2001:DB8:0::1"), "2001:db8::1 id 2 signal \n");
  });

  it("calls a deleted interface as ip does", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("one");
    await host.ip("link add v0 type veth peer name v1");
    await host.ip("mptcp endpoint add 192.0.2.1 dev v0");
    await host.ip("link delete v0");
    for (const options of ["", "-j "])
      assert.equal(await ctl(host, `${options}endpoint`), await host.ip(`${options}mptcp endpoint`));
  });

  it("works in another network namespace, by its name or its path", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("one");
    const other = await lab.host("two");
    await other.ip("mptcp endpoint add 192.0.2.77");
    for (const namespace of [other.namespace, other.path]) {
      assert.equal(await run(program, ["-n", namespace, "endpoint"]), "192.0.2.77 id 1 \n");
      assert.equal(await ctl(host, `endpoint show --netns=${namespace}`), "192.0.2.77 id 1 \n");
    }
    await run(program, ["-jn", other.namespace, "endpoint", "add", "192.0.2.78", "subflow"]);
    assert.deepEqual(await other.endpointAddresses(), ["192.0.2.77", "192.0.2.78"]);
    assert.deepEqual(await host.endpointAddresses(), []);
    await refuses(
      host,
      "-n nosuch endpoint",
      1,
      /cannot enter network namespace nosuch: there is no \/run\/netns\/nosuch/,
    );
    await refuses(host, "-n /proc/self/status endpoint", 1, /is no network namespace$/m);
  });

  it("shows the addresses of a connection under the userspace path manager", async (t) => {
    const lab = await Lab.create(t);
    const { client, server } = await twoPaths(lab);
    await client.sysctl("net.mptcp.pm_type", 1);
    const monitor = client.spawn(program, ["monitor"]);
    await monitorsListen(client, 1);
    const traffic = await startTraffic({ from: client, to: server, address: "10.0.1.1", rate: 100_000 });
    const [, token = ""] = await monitor.waitForLine(/ ESTABLISHED\] token=(\w+)/);
    const announce = `
      const pm = await MptcpPm.open();
      await pm.announce({ token: 0x${token}, address: "10.0.2.2", id: 9 });
      pm.close();
      say("done");`;
    await inHost(client, { MptcpPm: "kernel/mptcp-pm" }, announce);
    assert.equal(await ctl(client, `endpoint show token ${token}`), "10.0.2.2 id 9 signal \n");
    assert.equal(
      await ctl(client, `-j endpoint show id 9 token 0x${token}`),
      '[{"address":"10.0.2.2","id":9,"signal":true}]\n',
    );
    await refuses(
      client,
      `endpoint show id 8 token ${token}`,
      1,
      "cannot show endpoint id 8: there is none (ENOENT)",
    );
    await traffic.finish();
  });

  it("ends monitor with status 0 by SIGINT and SIGTERM", async (t) => {
    const host = await (await Lab.create(t)).host("one");
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      const monitor = host.spawn(program, ["monitor"]);
      await monitorsListen(host, 1);
      monitor.signal(signal);
      assert.deepEqual(await within("its end", monitor.exited), { code: 0, signal: null });
      assert.equal(monitor.output, "");
    }
  });

  it("goes in peace when nobody reads it any more", async (t) => {
    const host = await (await Lab.create(t)).host("one");
    const pipe = host.spawn("sh", ["-c", `timeout 20 "$1" monitor | head -n 1; echo closed`, "sh", program]);
    await monitorsListen(host, 1);
    const listen = `const { fd } = mptcpListen({ address: "127.0.0.1", port: 0 }); say(fd > 0);`;
    // Two events: the first is read, the second meets a closed pipe.
    await inHost(host, { mptcpListen: "netlink/addon" }, listen);
    assert.deepEqual(await within("its end", pipe.exited), { code: 0, signal: null });
    assert.equal(pipe.lines.length, 2, pipe.output);
    assert.match(pipe.lines[0] ?? "", /^\[LISTENER_CREATED\] saddr4=127\.0\.0\.1 sport=\d+$/);
    assert.equal(pipe.lines[1], "closed");
  });

  it("goes on after events were lost, and says that they were", async (t) => {
    const host = await (await Lab.create(t)).host("one");
    const monitor = host.spawn(program, ["monitor"]);
    await monitorsListen(host, 1);
    monitor.signal("SIGSTOP");
    const listen = `const { fd, port } = mptcpListen({ address: "127.0.0.1", port: 0 }); closeSync(fd);`;
    const imports = { mptcpListen: "netlink/addon" };
    const close = `const { closeSync } = await import("node:fs");`;
    await inHost(host, imports, `${close} for (let i = 0; i < 30_000; i++) { ${listen} } say("done");`);
    monitor.signal("SIGCONT");
    await monitor.waitForLine(/^mptcpctl: events were lost/);
    const port = await inHost(host, imports, `${close} ${listen} say(port);`);
    await monitor.waitForLine(new RegExp(`LISTENER_CLOSED\\] .* sport=${port}$`), { deadlineMs: 20_000 });
    assert.deepEqual(await monitor.stop(), { code: 0, signal: null });
  });
});

describe("mptcpctl explain", { skip: requires() }, () => {
  it("says of every address what becomes of it, and why", async (t) => {
    const lab = await Lab.create(t);
    const host = await hostWithTwoInterfaces(lab, "one");
    await host.ip("addr add 198.51.100.1/32 dev lo");
    await host.ip("link add docker0 type bridge");
    await host.ip("addr add 172.17.0.1/16 dev docker0");
    await host.ip("link set docker0 up");
    await host.ip("mptcp endpoint add 10.0.2.2 signal id 9");
    const directory = `--runtime-dir=${lab.freshPath("runtime")}`;
    const text = await ctl(host, `explain ${directory}`);
    const rows = text.split("\n").map((line) => line.split(/ {2,}/));
    const row = (address: string) => rows.find(([first]) => first === address)?.slice(1);
    assert.deepEqual(rows[0], ["ADDRESS", "INTERFACE", "ENDPOINT", "OUTCOME", "REASON"]);
    assert.deepEqual(row("10.0.1.2")?.slice(0, 3), ["eth1", "-", "endpoint"]);
    assert.deepEqual(row("10.0.2.2")?.slice(0, 3), ["eth2", "9 signal", "served"]);
    assert.match(row("10.0.2.2")?.[3] ?? "", /endpoint 9/);
    assert.deepEqual(row("198.51.100.1")?.slice(0, 3), ["lo", "-", "unusable"]);
    assert.deepEqual(row("172.17.0.1")?.slice(0, 3), ["docker0", "-", "unusable"]);
    const one: unknown = JSON.parse(await ctl(host, `-j explain 10.0.2.2 ${directory}`));
    assert.ok(Array.isArray(one));
    assert.deepEqual(
      one.map(({ address, dev, outcome, code, id, signal, owner }) => [
        address,
        dev,
        outcome,
        code,
        id,
        signal,
        owner,
      ]),
      [["10.0.2.2", "eth2", "served", "foreign-endpoint", 9, true, "other"]],
    );
    const ofInterface: unknown = JSON.parse(await ctl(host, `-j explain eth1 ${directory}`));
    assert.ok(Array.isArray(ofInterface));
    assert.deepEqual(new Set(ofInterface.map(({ dev }) => dev)), new Set(["eth1"]));
    await refuses(host, "explain 10.9.9.9", 1, "cannot explain 10.9.9.9: no interface has this address");
    await refuses(host, "explain eth9", 1, /no such interface/);
  });

  it("goes by the configuration that is named", async (t) => {
    const lab = await Lab.create(t);
    const host = await hostWithTwoInterfaces(lab, "one");
    const file = lab.freshPath("mptcpd.conf");
    writeFileSync(file, "[path no]\nmatch-interface=eth1\nignore=yes\n", { mode: 0o644 });
    const line = `explain 10.0.1.2 --config ${file} --runtime-dir ${lab.freshPath("runtime")}`;
    assert.match(await ctl(host, line), /^10\.0\.1\.2 +eth1 +- +unusable +.*\[path no\]/m);
    writeFileSync(file, "[path no]\nignor=yes\nmax=x\n");
    const { code, stderr } = await outcome(ctl(host, line));
    assert.equal(code, 1);
    assert.deepEqual(
      stderr.split("\n").map((fault) => fault.slice(0, `mptcpctl: ${file}:2:`.length)),
      [`mptcpctl: ${file}:2:`, `mptcpctl: ${file}:3:`, ""],
    );
  });

  it("says what makes every endpoint useless", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("one");
    await host.sysctl("net.mptcp.enabled", 0);
    await host.sysctl("net.mptcp.pm_type", 1);
    const child = host.spawn(program, ["explain", "--runtime-dir", lab.freshPath("runtime")]);
    await within("its end", child.exited);
    assert.match(child.output, /^mptcpctl: net\.mptcp\.enabled is 0/m);
    assert.match(child.output, /^mptcpctl: net\.mptcp\.path_manager is userspace/m);
  });
});

describe("mptcpctl adopt", { skip: requires() }, () => {
  const owners = async (host: Host, directory: string) => {
    const rows: unknown = JSON.parse(await ctl(host, `-j explain ${directory}`));
    assert.ok(Array.isArray(rows));
    return Object.fromEntries(rows.flatMap(({ address, owner }) => (owner ? [[address, owner]] : [])));
  };

  it("hands endpoints to the ledger of a daemon that does not run", async (t) => {
    const lab = await Lab.create(t);
    const host = await hostWithTwoInterfaces(lab, "one");
    await host.ip("mptcp endpoint add 10.0.1.2 dev eth1 subflow");
    await host.ip("mptcp endpoint add 10.0.2.2 dev eth2 subflow");
    const directory = `--runtime-dir=${lab.freshPath("runtime")}`;
    assert.deepEqual(await owners(host, directory), { "10.0.1.2": "other", "10.0.2.2": "other" });
    assert.equal(await ctl(host, `adopt 10.0.1.2 ${directory}`), "10.0.1.2 id 1: adopted\n");
    assert.deepEqual(await owners(host, directory), { "10.0.1.2": "mptcpd", "10.0.2.2": "other" });
    assert.equal(await ctl(host, `adopt --all ${directory}`), "10.0.2.2 id 2: adopted\n");
    assert.equal(await ctl(host, `adopt --all ${directory}`), "nothing to adopt: mptcpd has them already\n");
    assert.deepEqual(await owners(host, directory), { "10.0.1.2": "mptcpd", "10.0.2.2": "mptcpd" });
    assert.deepEqual(await host.endpointAddresses(), ["10.0.1.2", "10.0.2.2"]);
  });

  it("has a running daemon take them", async (t) => {
    const lab = await Lab.create(t);
    const host = await hostWithTwoInterfaces(lab, "one");
    await host.ip("mptcp endpoint add 10.0.1.2 dev eth1 subflow id 77");
    const daemon = startDaemon(lab, host);
    await eventually("the other address is an endpoint", async () =>
      assert.deepEqual(await host.endpointAddresses().then((all) => all.includes("10.0.2.2")), true),
    );
    const directory = `--runtime-dir=${daemon.runtimeDirectory}`;
    assert.equal((await owners(host, directory))["10.0.1.2"], "other");
    assert.equal(await ctl(host, `adopt 10.0.1.2 ${directory}`), "10.0.1.2 id 77: adopted\n");
    assert.equal((await owners(host, directory))["10.0.1.2"], "mptcpd");
    await daemon.stop();
  });

  it("takes endpoints that there are, and no others", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("one");
    const directory = `--runtime-dir=${lab.freshPath("runtime")}`;
    await refuses(host, `adopt 10.0.1.2 ${directory}`, 1, /cannot adopt 10\.0\.1\.2: it is no endpoint/);
    await refuses(host, `adopt ${directory}`, 2, "adopt: give either ADDRESS or --all");
    await refuses(
      host,
      `adopt eth1 ${directory}`,
      2,
      'adopt: "eth1" is no address; allowed: ADDRESS..., --all',
    );
  });
});
