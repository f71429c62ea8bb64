import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { eventually } from "../../src/lab/kit/wait.ts";
import { atOnce, hourly, Machine } from "../lab/machine.ts";

const twoLinks = { eth0: ["10.0.0.1/24"], wwan0: ["10.0.1.1/24"] };
const eth0 = "10.0.0.1 eth0 subflow";
const wwan0 = "10.0.1.1 wwan0 subflow";

/** A configuration with one [path] section. */
function rule(...lines: readonly string[]): { config: string } {
  return { config: `${atOnce}[path rule]\n${lines.join("\n")}\n` };
}

const options = { skip: requires(), concurrency: 4 };

describe("what mptcpd.conf says is what happens", options, () => {
  describe("addr-flags", () => {
    it("are the flags of all endpoints; the command line wins over the file", async (t) => {
      const machine = await Machine.create(t);
      await machine.start({ config: `${atOnce}addr-flags=backup,subflow\n` });
      await machine.has("10.0.0.1 eth0 subflow,backup");
      await machine.restart({
        config: `${atOnce}addr-flags=backup,subflow\n`,
        args: ["--addr-flags=fullmesh,subflow"],
      });
      await machine.has("10.0.0.1 eth0 subflow,fullmesh");
    });

    it("are ones that the kernel takes", async (t) => {
      const machine = await Machine.create(t);
      await machine.start({ config: `${atOnce}addr-flags=signal\n` });
      await machine.keeps("10.0.0.1 eth0 signal");
      for (const flags of ["signal,subflow", "backup", "subflow,backup,fullmesh"]) {
        await machine.reload(`${atOnce}addr-flags=${flags}\n`);
        await machine.has(`10.0.0.1 eth0 ${flags}`);
      }
    });
  });

  it("laminar is set where the kernel knows it, and left out elsewhere; in either case once", async (t) => {
    const machine = await Machine.create(t);
    await machine.start({ args: ["--addr-flags=subflow,laminar"] });
    await machine.reload();
    const steps = machine.daemon.lines.filter((line) => /endpoint 1 .*: (added|changed|deleted)/.test(line));
    assert.equal(steps.length, 1, machine.daemon.output);
    const leftOut = machine.daemon.output.includes("does not know the flag laminar");
    assert.match(steps[0] ?? "", leftOut ? / subflow: added/ : / subflow,laminar: added/);
  });

  describe("match-interface", () => {
    it("takes globs over the name and alternative names, also one that is given later", async (t) => {
      const machine = await Machine.create(t, twoLinks);
      await machine.ip("link property add dev wwan0 altname cellular-modem");
      await machine.start(rule("match-interface=cell*,usb?", "ignore=yes"));
      await machine.keeps(eth0);
      await machine.ip("link property add dev eth0 altname cell-too");
      await machine.has();
      await machine.ip("link property del dev wwan0 altname cellular-modem");
      await machine.has(wwan0);
    });

    it("follows an interface that is renamed", async (t) => {
      const machine = await Machine.create(t, twoLinks);
      await machine.start(rule("match-interface=docker*", "ignore=yes"));
      await machine.has(eth0, wwan0);
      await machine.ip("link set wwan0 name docker7");
      await machine.has(eth0);
      await machine.ip("link set docker7 name lte0");
      await machine.has(eth0, "10.0.1.1 lte0 subflow");
    });
  });

  describe("match-kind", () => {
    it("is what `ip -d link` shows", async (t) => {
      const machine = await Machine.create(t, { eth0: ["10.0.0.1/24"], port0: [] });
      await machine.host.ipBatch([
        "link add br0 type bridge",
        "link set port0 master br0",
        "link set br0 up",
        "addr add 10.0.9.1/24 dev br0",
      ]);
      await machine.start(rule("match-kind=ve*", "ignore=yes"));
      await machine.keeps("10.0.9.1 br0 subflow");
      await machine.reload(rule("match-kind=vlan,bridge", "ignore=yes").config);
      await machine.keeps(eth0);
    });

    it("physical is an interface that has none, unlike a veth", async (t) => {
      const machine = await Machine.create(t);
      await machine.start(rule("match-kind=physical", "ignore=yes"));
      await machine.keeps(eth0);
    });
  });

  it("flags change in place when the rule does", async (t) => {
    const machine = await Machine.create(t, twoLinks);
    await machine.start(rule("match-interface=wwan0", "flags=subflow"));
    const { id } = await machine.endpoint("10.0.1.1");
    await machine.says(/^info: endpoint 2 10\.0\.1\.1 .*changed, flags changed/, () =>
      machine.reload(rule("match-interface=wwan0", "flags=subflow,backup").config),
    );
    await machine.has(eth0, `10.0.1.1 wwan0 subflow,backup`);
    await machine.reload(rule("match-interface=wwan0", "flags=subflow,fullmesh").config);
    await machine.has(eth0, `10.0.1.1 wwan0 subflow,fullmesh`);
    assert.equal((await machine.endpoint("10.0.1.1")).id, id);
  });

  it("port is told to peers with the address", async (t) => {
    const machine = await Machine.create(t, twoLinks);
    await machine.start(rule("match-interface=eth0", "flags=signal", "port=8443"));
    await machine.keeps("10.0.0.1 port 8443 eth0 signal", wwan0);
    await machine.reload(rule("match-interface=eth0", "flags=signal", "port=8444").config);
    await machine.has("10.0.0.1 port 8444 eth0 signal", wwan0);
    await machine.ip("addr del 10.0.0.1/24 dev eth0");
    await machine.has(wwan0);
  });

  describe("check_route follows the routes", () => {
    const checkRoute = { config: `${atOnce}notify-flags=check_route\n` };
    const dualStack = { eth0: ["10.0.0.1/24", "2001:db8::1/64"] };
    const v4 = "10.0.0.1 eth0 subflow";
    const v6 = "2001:db8::1 eth0 subflow";

    it("each family by itself", async (t) => {
      const machine = await Machine.create(t, dualStack);
      await machine.start(checkRoute);
      await machine.keeps();
      await machine.ip("-6 route add default via 2001:db8::ff dev eth0");
      await machine.has(v6);
      await machine.ip("route add default via 10.0.0.254 dev eth0");
      await machine.has(v4, v6);
      await machine.ip("-6 route del default");
      await machine.has(v4);
    });

    it("a default route in any table counts, and so do two halves", async (t) => {
      const machine = await Machine.create(t, twoLinks);
      await machine.start(checkRoute);
      await machine.ip("route add default via 10.0.0.254 dev eth0 table 100");
      await machine.has(eth0);
      await machine.ip("route add 0.0.0.0/1 via 10.0.1.254 dev wwan0");
      await machine.keeps(eth0);
      await machine.ip("route add 128.0.0.0/1 via 10.0.1.254 dev wwan0");
      await machine.has(eth0, wwan0);
      await machine.ip("route del 128.0.0.0/1");
      await machine.has(eth0);
    });

    it("a route that the kernel drops silently, as it does when the link goes down, is missed", async (t) => {
      const machine = await Machine.create(t, twoLinks);
      // IPv6 would give it away: its routes do not go silently.
      await machine.host.sysctl("net.ipv6.conf.all.disable_ipv6", 1);
      await machine.ip("route add default via 10.0.0.254 dev eth0");
      await machine.ip("route add default via 10.0.1.254 dev wwan0 metric 9");
      await machine.start(checkRoute);
      await machine.has(eth0, wwan0);
      await machine.ip("link set eth0 down");
      await machine.has(wwan0);
      await machine.ip("link set eth0 up");
      await eventually("a carrier", async () =>
        assert.match(await machine.ip("link show dev eth0"), /state UP/),
      );
      // Once this is an endpoint, eth0 would have been one before if its route were taken to be there.
      await machine.ip("addr add 10.0.1.2/24 dev wwan0");
      await machine.has(wwan0, "10.0.1.2 wwan0 subflow");
      await machine.ip("route add default via 10.0.0.254 dev eth0");
      await machine.has(eth0, wwan0, "10.0.1.2 wwan0 subflow");
    });
  });

  it("removal-delay: an endpoint outlives its address by that, and lives on if it comes back", async (t) => {
    const machine = await Machine.create(t, { eth0: ["10.0.0.1/24", "10.0.1.1/24"] });
    await machine.start({ config: hourly });
    await machine.ip("addr del 10.0.1.1/24 dev eth0");
    await machine.keeps(eth0, "10.0.1.1 eth0 subflow");
    await machine.ip("addr add 10.0.1.1/24 dev eth0");
    await machine.ip("addr del 10.0.0.1/24 dev eth0");
    await machine.keeps(eth0, "10.0.1.1 eth0 subflow");
    await machine.reload("[core]\nremoval-delay=0.5\n");
    await machine.has("10.0.1.1 eth0 subflow");
    assert.equal(machine.history("10.0.1.1").length, 1, machine.daemon.output);
  });
});
