import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeLinkEvent, dumpLinks, getLink, linkFlags } from "../../src/kernel/links.ts";
import { groups } from "../../src/kernel/rtnetlink.ts";
import { Lab } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { eventually } from "../../src/lab/kit/wait.ts";
import { ipJson, listen, object, sorted, strings, useRtnetlink } from "../lab/rtnetlink.ts";
import { openTunnel, tunnelNeeds } from "../lab/tunnel.ts";

describe("rtnetlink: links", { skip: requires() }, () => {
  const rtnetlink = useRtnetlink();

  it("are listed as ip lists them", async () => {
    await rtnetlink.setUp(
      "link property add dev v0 altname uplink altname wan",
      "link add br0 type bridge",
      "link set v1 master br0",
      "link add ifb7 type ifb",
    );
    await eventually("the same list at two looks", async () => {
      const { items, interrupted } = await dumpLinks(rtnetlink.connection);
      assert.equal(interrupted, false);
      const shown = items.map((link) => ({
        ifindex: link.index,
        ifname: link.name,
        mtu: link.mtu,
        operstate: link.operState.toUpperCase(),
        link_type: { 1: "ether", 772: "loopback", 65534: "none" }[link.type],
        altnames: [...link.altNames],
        kind: link.kind,
        slaveKind: link.slaveKind,
        master: items.find(({ index }) => index === link.master)?.name,
        ...flagsAsIp(link.flags.names),
      }));
      const expected = (await ipJson(rtnetlink.here, "-d link show")).map((link) => ({
        ifindex: link.get("ifindex"),
        ifname: link.get("ifname"),
        mtu: link.get("mtu"),
        operstate: link.get("operstate"),
        link_type: link.get("link_type"),
        altnames: link.get("altnames") ?? [],
        kind: object(link.get("linkinfo")).get("info_kind"),
        slaveKind: object(link.get("linkinfo")).get("info_slave_kind"),
        master: link.get("master"),
        ...flagsAsIp(strings(link.get("flags")).map((flag) => flagNames.get(flag) ?? flag)),
      }));
      assert.deepEqual(sorted(shown), sorted(expected));
      assert.ok(shown.length >= 5);
    });
  });

  it("name the other end of a veth, unless it is elsewhere", async (t) => {
    await rtnetlink.setUp("link add br0 type bridge", "link add ifb7 type ifb");
    const lab = await Lab.create(t);
    const other = await lab.host("other");
    await rtnetlink.here.ip(`link add e0 type veth peer name e1 netns ${other.namespace}`);
    t.after(() => rtnetlink.here.ip("link delete e0").catch(() => ""));
    const links = (await dumpLinks(rtnetlink.connection)).items;
    const lowerOf = (name: string) => links.find((link) => link.name === name)?.lower;
    const indexOf = (name: string) => links.find((link) => link.name === name)?.index;
    assert.equal(lowerOf("v0"), indexOf("v1"));
    assert.equal(lowerOf("v1"), indexOf("v0"));
    for (const name of ["e0", "br0", "ifb7"]) assert.equal(lowerOf(name), undefined, name);
  });

  it("tell whether a TAP device has virtio headers, as those of virtual machines", {
    skip: requires(tunnelNeeds),
  }, async (t) => {
    const lab = await Lab.create(t);
    const here = await lab.here();
    for (const [mode, expected] of [
      ["vm", true],
      ["tap", false],
    ] as const) {
      const device = await openTunnel(here, `t-${mode}`, { mode });
      const link = (await dumpLinks(rtnetlink.connection)).items.find(({ name }) => name === `t-${mode}`);
      assert.equal(link?.vnetHeader, expected);
      await device.kill();
    }
  });

  it("of more than 4 KiB come whole", async () => {
    const names = Array.from({ length: 60 }, (_, i) => `v0-${"x".repeat(110)}-${String(i).padStart(2, "0")}`);
    await rtnetlink.setUp(...names.map((name) => `link property add dev v0 altname ${name}`));
    const link = (await dumpLinks(rtnetlink.connection)).items.find(({ name }) => name === "v0");
    assert.deepEqual([...(link?.altNames ?? [])].sort(), names);
    assert.deepEqual(await getLink(rtnetlink.connection, link?.index ?? 0), link);
  });

  it("count how often the carrier came", async () => {
    await rtnetlink.setUp();
    await rtnetlink.here.ip("link set v1 down");
    await rtnetlink.here.ip("link set v1 up");
    const index = await rtnetlink.here.ifIndex("v0");
    assert.equal((await getLink(rtnetlink.connection, index))?.carrierUpCount, 2);
    assert.equal(await getLink(rtnetlink.connection, 99999), undefined);
  });

  it("notify of what is made, changed, renamed and deleted, and of nothing else", async (t) => {
    const heard = listen(t, [groups.links], decodeLinkEvent);
    await rtnetlink.setUp("link add br0 type bridge", "link set v1 master br0");
    await heard.until(({ link }) => link.name === "v1" && link.master !== 0 && link.slaveKind === "bridge");
    // RTM_DELLINK of AF_BRIDGE comes here: the port is gone, the link is not.
    await rtnetlink.here.ipBatch(["link set v1 nomaster", "link set v0 down", "link set v0 name renamed0"]);
    await heard.until(
      ({ link }) => link.name === "renamed0" && !link.flags.has("up") && link.operState === "down",
    );
    assert.ok(heard.all.every(({ change }) => change === "new"));
    await rtnetlink.here.ip("link delete renamed0");
    await heard.until(({ change, link }) => change === "deleted" && link.name === "v1");
  });
});

const flagNames = new Map(
  linkFlags.names.map((name) => [
    name
      .replace(/([A-Z])/g, "_$1")
      .toUpperCase()
      .replace("POINT_TO_POINT", "POINTOPOINT")
      .replace("NO_ARP", "NOARP"),
    name,
  ]),
);

/** What ip shows of flags: not `running`, but NO-CARRIER. */
function flagsAsIp(names: readonly string[]) {
  return {
    flags: names.filter((name) => name !== "running" && name !== "NO-CARRIER" && name !== "M-DOWN").sort(),
  };
}
