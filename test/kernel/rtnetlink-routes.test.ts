import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { dumpLinks } from "../../src/kernel/links.ts";
import { decodeRouteEvent, dumpRoutes, lookupRoute, type Route } from "../../src/kernel/routes.ts";
import { groups, routeFilter } from "../../src/kernel/rtnetlink.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { eventually, waitFor } from "../../src/lab/kit/wait.ts";
import { ipJson, listen, object, objects, sorted, useRtnetlink } from "../lab/rtnetlink.ts";

describe("rtnetlink: routes", { skip: requires() }, () => {
  const rtnetlink = useRtnetlink();

  const network = [
    "addr add 10.0.0.1/24 dev v0",
    "addr add 10.0.1.1/24 dev v1",
    "addr add fd00::1/64 dev v0 nodad",
    "addr add fd00:1::1/64 dev v1 nodad",
    "route add default via 10.0.0.254 metric 100",
    "route add default metric 200 nexthop via 10.0.0.254 weight 3 nexthop via 10.0.1.254",
    "route add 0.0.0.0/1 via 10.0.1.254 dev v1",
    "route add 10.5.0.0/16 via inet6 fd00::99 dev v0",
    "route add 10.7.0.0/16 via 10.0.0.254 src 10.0.0.1 table 70000",
    "route add unreachable 10.66.0.0/16",
    "route add blackhole 10.67.0.0/16",
    "route add prohibit 10.68.0.0/16",
    "route add default via fd00::fe metric 77",
    "route add 2001:db8::/32 nexthop via fd00::fe nexthop via fd00:1::fe",
    "route add unreachable 2001:66::/32",
    "rule add fwmark 7 table 70000",
  ];
  afterEach(async () => {
    await rtnetlink.here.ip("rule delete fwmark 7").catch(() => "");
    for (const family of ["-4", "-6"])
      for (const type of ["unreachable", "blackhole", "prohibit"])
        await rtnetlink.here.ip(`${family} route flush type ${type}`).catch(() => "");
  });

  it("are listed as ip lists them", async () => {
    await rtnetlink.setUp(...network);
    const names = new Map(
      (await dumpLinks(rtnetlink.connection)).items.map(({ index, name }) => [index, name]),
    );
    const compare = async (family: 4 | 6) => {
      const { items } = await dumpRoutes(rtnetlink.connection, { family });
      const shown = items.map((route) => ({
        destination: text(route),
        metric: route.metric,
        source: route.source,
        // The device of a route that leads nowhere is not said for IPv4, and is lo for IPv6.
        hops: sorted(
          route.hops.map(({ ifIndex, gateway, weight }) => ({ dev: names.get(ifIndex), gateway, weight })),
        ),
      }));
      const expected = (await ipJson(rtnetlink.here, `-${family} -N route show table all`)).map((route) => ({
        destination: String(route.get("dst")),
        metric: route.get("metric") ?? 0,
        source: route.get("prefsrc"),
        hops: sorted(
          (route.get("nexthops") === undefined ? [route] : objects(route.get("nexthops")))
            .filter((hop) => hop.get("dev") !== undefined)
            .map((hop) => ({
              dev: hop.get("dev"),
              gateway: hop.get("gateway") ?? object(hop.get("via")).get("host"),
              weight: hop.get("weight") ?? 1,
            })),
        ),
      }));
      assert.deepEqual(sorted(shown), sorted(expected), `IPv${family}`);
      assert.ok(shown.length > 5);
    };
    // Local routes follow their addresses in the kernel's own time.
    for (const family of [4, 6] as const)
      await eventually("the same list at two looks", () => compare(family));
  });

  it("are listed with their table, type and protocol, and by table", async () => {
    await rtnetlink.setUp(...network);
    const [route, ...others] = (await dumpRoutes(rtnetlink.connection, { family: 4, table: 70000 })).items;
    assert.deepEqual(others, []);
    assert.deepEqual(route, {
      family: 4,
      destination: "10.7.0.0",
      prefixLength: 16,
      table: 70000,
      type: 1,
      scope: 0,
      protocol: 3,
      metric: 0,
      hops: [{ ifIndex: await rtnetlink.here.ifIndex("v0"), gateway: "10.0.0.254", weight: 1 }],
      source: "10.0.0.1",
    });
  });

  it("are listed without the long ones when only default routes are wanted", async () => {
    await rtnetlink.setUp(...network);
    const { items } = await dumpRoutes(rtnetlink.connection, { maxPrefixLength: 1 });
    assert.deepEqual(items.map(text).sort(), ["0.0.0.0/1", "default", "default", "default"]);
  });

  it("are looked up as packets would go: by destination, source, interface and mark", async () => {
    await rtnetlink.setUp(...network);
    const [v0, v1] = [await rtnetlink.here.ifIndex("v0"), await rtnetlink.here.ifIndex("v1")];
    const hop = async (lookup: Parameters<typeof lookupRoute>[1]) =>
      (await lookupRoute(rtnetlink.connection, lookup))?.hops[0];
    assert.deepEqual(await hop({ destination: "200.1.1.1" }), {
      ifIndex: v0,
      gateway: "10.0.0.254",
      weight: 1,
    });
    assert.deepEqual(await hop({ destination: "100.1.1.1" }), {
      ifIndex: v1,
      gateway: "10.0.1.254",
      weight: 1,
    });
    assert.deepEqual(await hop({ destination: "10.5.1.1" }), {
      ifIndex: v0,
      gateway: "fd00::99",
      weight: 1,
    });
    assert.deepEqual(await hop({ destination: "10.7.1.1", mark: 7 }), {
      ifIndex: v0,
      gateway: "10.0.0.254",
      weight: 1,
    });
    assert.deepEqual(await hop({ destination: "200.1.1.1", source: "10.0.0.1", ifIndex: v1 }), {
      ifIndex: v1,
      gateway: "10.0.1.254",
      weight: 1,
    });
    assert.deepEqual(await hop({ destination: "2001:4860::1" }), {
      ifIndex: v0,
      gateway: "fd00::fe",
      weight: 1,
    });
  });

  it("are looked up as they are in the table", async () => {
    await rtnetlink.setUp(...network);
    const found = await lookupRoute(rtnetlink.connection, { destination: "200.1.1.1", fibMatch: true });
    assert.deepEqual(found && { ...found, hops: found.hops.length }, {
      family: 4,
      destination: undefined,
      prefixLength: 0,
      table: 254,
      type: 1,
      scope: 0,
      protocol: 3,
      metric: 100,
      hops: 1,
    });
    const six = await lookupRoute(rtnetlink.connection, { destination: "2001:db8::1", fibMatch: true });
    assert.deepEqual([six?.destination, six?.prefixLength, six?.hops.length], ["2001:db8::", 32, 2]);
  });

  it("that lead nowhere are none", async () => {
    await rtnetlink.setUp(...network);
    for (const destination of ["10.66.0.1", "10.67.0.1", "10.68.0.1", "2001:66::1"])
      for (const fibMatch of [false, true])
        assert.equal(
          await lookupRoute(rtnetlink.connection, { destination, fibMatch }),
          undefined,
          destination,
        );
  });

  it("assumed on the link, for want of one, say table 0", async () => {
    await rtnetlink.setUp("addr add 10.0.0.1/24 dev v0");
    const found = await lookupRoute(rtnetlink.connection, {
      destination: "200.1.1.1",
      ifIndex: await rtnetlink.here.ifIndex("v0"),
    });
    assert.equal(found?.table, 0);
    assert.equal(await lookupRoute(rtnetlink.connection, { destination: "200.1.1.1" }), undefined);
  });

  it("notify of what comes and goes", async (t) => {
    await rtnetlink.setUp("addr add 10.0.0.1/24 dev v0");
    const heard = listen(t, [groups.ipv4Routes, groups.ipv6Routes], decodeRouteEvent);
    await rtnetlink.here.ipBatch(["route add default via 10.0.0.254", "route delete default via 10.0.0.254"]);
    await heard.until(({ change, route }) => change === "deleted" && route.destination === undefined);
    assert.ok(heard.all.some(({ change, route }) => change === "new" && route.destination === undefined));
  });

  it("notify of short prefixes only, behind the filter", async (t) => {
    await rtnetlink.setUp("addr add 10.0.0.1/24 dev v0", "addr add fd00::1/64 dev v0 nodad");
    const types = new Set<number>();
    const filter = routeFilter();
    const heard = listen(
      t,
      [groups.ipv4Routes, groups.ipv6Routes, groups.links],
      decodeRouteEvent,
      filter,
      types,
    );
    await rtnetlink.here.ipBatch([
      "route add 128.0.0.0/2 via 10.0.0.254",
      "route add 10.7.0.0/16 via 10.0.0.254",
      "route add 0.0.0.0/1 via 10.0.0.254",
      "route add default via fd00::fe",
      "route delete 10.7.0.0/16 via 10.0.0.254",
      "route delete 0.0.0.0/1 via 10.0.0.254",
      "link set v0 down",
    ]);
    // The kernel may have told of the link before, too.
    await heard.until(({ change, route }) => change === "deleted" && text(route) === "0.0.0.0/1");
    await waitFor("a message about the link", () => types.has(16));
    assert.deepEqual(heard.all.map(({ change, route }) => `${change} ${text(route)}`).slice(0, 3), [
      "new 0.0.0.0/1",
      "new default",
      "deleted 0.0.0.0/1",
    ]);
    assert.ok(heard.all.every(({ route }) => route.prefixLength <= 1));
  });
});

function text({ family, destination, prefixLength }: Route): string {
  if (destination === undefined) return "default";
  return prefixLength === (family === 4 ? 32 : 128) ? destination : `${destination}/${prefixLength}`;
}
