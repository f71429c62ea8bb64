import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Lab, twoPaths } from "../../src/lab/kit/lab.ts";
import type { LabProcess } from "../../src/lab/kit/lab-process.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { startTraffic } from "../../src/lab/kit/traffic.ts";
import { eventually } from "../../src/lab/kit/wait.ts";
import { ctl, hostWithTwoInterfaces, monitorsListen, outcome, program } from "../lab/mptcpctl.ts";

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
      const traffic = await startTraffic({ from: client, to: server, address: "10.0.1.1", rate: 100_000 });
      await theirs.waitForLine(/SF_ESTABLISHED/);
      await traffic.finish();
      for (const monitor of [theirs, ours, json]) await monitor.waitForLine(/[ "[]CLOSED[\]"]/);
      const events = ({ lines }: LabProcess) =>
        lines.filter((line) => !line.startsWith("mptcpctl: listening"));
      await eventually("every event in all three", () => {
        assert.equal(events(ours).length, theirs.lines.length);
        assert.equal(events(json).length, theirs.lines.length);
      });
      assert.deepEqual(events(ours).map(inOldWords), theirs.lines.map(inOldWords));
      const names = events(ours).map((line) => /^\[ *([A-Z_]+)\]/.exec(line)?.[1]);
      assert.deepEqual(
        events(json).map((line) => JSON.parse(line).event),
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

/**
 * What iproute2 6.1 prints of an event: see mptcpctl/commands/monitor.ts. Newer versions print more and more of ours.
 */
function inOldWords(line: string): string {
  return line
    .replace(/^\[ */, "[")
    .replace(/^\[LISTENER_CREATED\].*/, "[UNKNOWN 15]")
    .replace(/^\[LISTENER_CLOSED\].*/, "[UNKNOWN 16]")
    .replace(/ dev=\S+/, "")
    .replace(" server_side", " flags=2");
}
