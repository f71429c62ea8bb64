import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, afterEach, before, describe, it, type TestContext } from "node:test";
import { type Address, decodeAddressEvent, dumpAddresses } from "../../src/kernel/addresses.ts";
import { decodeLinkEvent, dumpLinks, getLink, linkFlags } from "../../src/kernel/links.ts";
import { routeFilter } from "../../src/kernel/route-filter.ts";
import {
  decodeRouteEvent,
  dumpRoutes,
  lookupRoute,
  type Route,
  routeFlags,
  routeRequest,
} from "../../src/kernel/routes.ts";
import { AF_INET6, groups, openRtnetlink, RTM_GETROUTE } from "../../src/kernel/rtnetlink.ts";
import { body, type NetlinkConnection } from "../../src/netlink/connection.ts";
import type { NetlinkMessage } from "../../src/netlink/wire.ts";
import type { Host } from "../lab/host.ts";
import { Lab } from "../lab/lab.ts";
import { requires } from "../lab/requires.ts";
import { waitFor } from "../lab/wait.ts";

describe("rtnetlink", { skip: requires() }, () => {
  let lab: Lab;
  let here: Host;
  let connection: NetlinkConnection;

  before(async () => {
    lab = await Lab.create();
    connection = openRtnetlink();
  });
  after(async () => {
    connection.close();
    await lab.close();
  });

  /** A veth pair v0, v1 that is up, and all that `lines` add to it. */
  async function setUp(...lines: string[]): Promise<void> {
    here = await lab.here();
    await here.ipBatch(["link add v0 type veth peer name v1", "link set v0 up", "link set v1 up", ...lines]);
  }
  afterEach(async () => {
    for (const line of ["link delete v0", "link delete br0", "link delete ifb7"])
      await here.ip(line).catch(() => "");
  });

  describe("links", () => {
    it("are listed as ip lists them", async () => {
      await setUp(
        "link property add dev v0 altname uplink altname wan",
        "link add br0 type bridge",
        "link set v1 master br0",
        "link add ifb7 type ifb",
      );
      const { items, interrupted } = await dumpLinks(connection);
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
      const expected = (await ipJson(here, "-d link show")).map((link) => ({
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

    it("of more than 4 KiB come whole", async () => {
      const names = Array.from(
        { length: 60 },
        (_, i) => `v0-${"x".repeat(110)}-${String(i).padStart(2, "0")}`,
      );
      await setUp(...names.map((name) => `link property add dev v0 altname ${name}`));
      const link = (await dumpLinks(connection)).items.find(({ name }) => name === "v0");
      assert.deepEqual([...(link?.altNames ?? [])].sort(), names);
      assert.deepEqual(await getLink(connection, link?.index ?? 0), link);
    });

    it("count how often the carrier came", async () => {
      await setUp();
      await here.ip("link set v1 down");
      await here.ip("link set v1 up");
      const index = await here.ifIndex("v0");
      assert.equal((await getLink(connection, index))?.carrierUpCount, 2);
      assert.equal(await getLink(connection, 99999), undefined);
    });

    it("notify of what is made, changed, renamed and deleted, and of nothing else", async (t) => {
      here = await lab.here();
      const heard = listen(t, [groups.links], decodeLinkEvent);
      await setUp("link add br0 type bridge", "link set v1 master br0");
      await heard.until(({ link }) => link.name === "v1" && link.master !== 0 && link.slaveKind === "bridge");
      // RTM_DELLINK of AF_BRIDGE comes here: the port is gone, the link is not.
      await here.ipBatch(["link set v1 nomaster", "link set v0 down", "link set v0 name renamed0"]);
      await heard.until(
        ({ link }) => link.name === "renamed0" && !link.flags.has("up") && link.operState === "down",
      );
      assert.ok(heard.all.every(({ change }) => change === "new"));
      await here.ip("link delete renamed0");
      await heard.until(({ change, link }) => change === "deleted" && link.name === "v1");
    });
  });

  describe("addresses", () => {
    it("are listed as ip lists them", async () => {
      await setUp(
        "addr add 10.0.0.1/24 dev v0",
        "addr add 10.0.0.2/24 dev v0",
        "addr add 10.9.0.1 peer 10.9.0.2/32 dev v0",
        "addr add 10.8.0.1/24 dev v0 valid_lft 1000 preferred_lft 500",
        "addr add 169.254.1.1/16 dev v0 scope link",
        "addr add fd00::1/64 dev v0 nodad",
        "addr add fd00:7::1 peer fd00:7::2/128 dev v0 nodad noprefixroute",
        "addr add 2001:db8::1/64 dev v0 nodad preferred_lft 0",
        "addr add ::ffff:10.0.0.9/128 dev v0 nodad",
      );
      const { items } = await dumpAddresses(connection);
      const expected = (await ipJson(here, "addr show")).flatMap((link) =>
        objects(link.get("addr_info")).map((address) => ({
          ifIndex: link.get("ifindex"),
          family: address.get("family") === "inet" ? 4 : 6,
          local: address.get("local"),
          peer: address.get("address"),
          prefixLength: address.get("prefixlen"),
          scope: scopes.get(String(address.get("scope"))),
          ...lifetimes(Number(address.get("valid_life_time")), Number(address.get("preferred_life_time"))),
          secondary: address.get("secondary") === true,
          deprecated: address.get("deprecated") === true,
          noPrefixRoute: address.get("noprefixroute") === true,
        })),
      );
      const shown = items.map((address) => ({
        ifIndex: address.ifIndex,
        family: address.family,
        local: address.address,
        peer: address.peer,
        prefixLength: address.prefixLength,
        scope: address.scope,
        ...lifetimes(address.validLifetime, address.preferredLifetime),
        secondary: address.family === 4 && address.flags.has("temporary"),
        deprecated: address.flags.has("deprecated"),
        noPrefixRoute: address.flags.has("noPrefixRoute"),
      }));
      assert.deepEqual(sorted(shown), sorted(expected));
      assert.equal(items.find(({ address }) => address === "10.9.0.1")?.peer, "10.9.0.2");
      assert.ok(items.some(({ address }) => address === "::ffff:10.0.0.9"));
    });

    it("are listed by family and by interface", async () => {
      await setUp(
        "addr add 10.0.0.1/24 dev v0",
        "addr add 10.0.1.1/24 dev v1",
        "addr add fd00::1/64 dev v0 nodad",
      );
      const index = await here.ifIndex("v0");
      const { items } = await dumpAddresses(connection, { family: 4, ifIndex: index });
      assert.deepEqual(
        items.map(({ address }) => address),
        ["10.0.0.1"],
      );
      const six = await dumpAddresses(connection, { family: 6 });
      assert.ok(six.items.length > 0 && six.items.every(({ family }) => family === 6));
    });

    it("say in which order they were made", async () => {
      await setUp("addr add 10.0.0.1/24 dev v0");
      const { created } = await find("10.0.0.1");
      await waitFor("the stamp to be later, it counts hundredths of seconds", async () => {
        await here.ipBatch(["addr flush dev v1 scope global", "addr add 10.0.1.1/24 dev v1"]);
        return (await find("10.0.1.1")).created > created;
      });
    });

    async function find(wanted: string): Promise<Address> {
      const found = (await dumpAddresses(connection)).items.find(({ address }) => address === wanted);
      assert.ok(found, wanted);
      return found;
    }

    it("notify of what comes, changes and goes", async (t) => {
      await setUp();
      const heard = listen(t, [groups.ipv4Addresses, groups.ipv6Addresses], decodeAddressEvent);
      await here.ipBatch(["addr add 10.0.0.1/24 dev v0", "addr add fd00::1/64 dev v0"]);
      await heard.until(({ address }) => address.address === "fd00::1" && address.flags.has("tentative"));
      await heard.until(({ address }) => address.address === "fd00::1" && !address.flags.has("tentative"));
      await here.ip("addr flush dev v0");
      for (const address of ["10.0.0.1", "fd00::1"])
        await heard.until(
          ({ change, ...event }) => change === "deleted" && event.address.address === address,
        );
    });
  });

  describe("routes", () => {
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
      await here.ip("rule delete fwmark 7").catch(() => "");
      for (const family of ["-4", "-6"])
        for (const type of ["unreachable", "blackhole", "prohibit"])
          await here.ip(`${family} route flush type ${type}`).catch(() => "");
    });

    it("are listed as ip lists them", async () => {
      await setUp(...network);
      const names = new Map((await dumpLinks(connection)).items.map(({ index, name }) => [index, name]));
      for (const family of [4, 6] as const) {
        const { items } = await dumpRoutes(connection, { family });
        const shown = items.map((route) => ({
          destination: text(route),
          metric: route.metric,
          source: route.source,
          // The device of a route that leads nowhere is not said for IPv4, and is lo for IPv6.
          hops: sorted(
            route.hops.map(({ ifIndex, gateway, weight }) => ({ dev: names.get(ifIndex), gateway, weight })),
          ),
        }));
        const expected = (await ipJson(here, `-${family} -N route show table all`)).map((route) => ({
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
      }
    });

    it("are listed with their table, type and protocol, and by table", async () => {
      await setUp(...network);
      const [route, ...others] = (await dumpRoutes(connection, { family: 4, table: 70000 })).items;
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
        hops: [{ ifIndex: await here.ifIndex("v0"), gateway: "10.0.0.254", weight: 1 }],
        source: "10.0.0.1",
      });
    });

    it("are listed without the long ones when only default routes are wanted", async () => {
      await setUp(...network);
      const { items } = await dumpRoutes(connection, { maxPrefixLength: 1 });
      assert.deepEqual(items.map(text).sort(), ["0.0.0.0/1", "default", "default", "default"]);
    });

    it("are looked up as packets would go: by destination, source, interface and mark", async () => {
      await setUp(...network);
      const [v0, v1] = [await here.ifIndex("v0"), await here.ifIndex("v1")];
      const hop = async (lookup: Parameters<typeof lookupRoute>[1]) =>
        (await lookupRoute(connection, lookup))?.hops[0];
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
      await setUp(...network);
      const found = await lookupRoute(connection, { destination: "200.1.1.1", fibMatch: true });
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
      const six = await lookupRoute(connection, { destination: "2001:db8::1", fibMatch: true });
      assert.deepEqual([six?.destination, six?.prefixLength, six?.hops.length], ["2001:db8::", 32, 2]);
    });

    it("that lead nowhere are none", async () => {
      await setUp(...network);
      for (const destination of ["10.66.0.1", "10.67.0.1", "10.68.0.1", "2001:66::1"])
        for (const fibMatch of [false, true])
          assert.equal(await lookupRoute(connection, { destination, fibMatch }), undefined, destination);
    });

    it("assumed on the link, for want of one, say table 0", async () => {
      await setUp("addr add 10.0.0.1/24 dev v0");
      const found = await lookupRoute(connection, {
        destination: "200.1.1.1",
        ifIndex: await here.ifIndex("v0"),
      });
      assert.equal(found?.table, 0);
      assert.equal(await lookupRoute(connection, { destination: "200.1.1.1" }), undefined);
    });

    it("notify of what comes and goes", async (t) => {
      await setUp("addr add 10.0.0.1/24 dev v0");
      const heard = listen(t, [groups.ipv4Routes, groups.ipv6Routes], decodeRouteEvent);
      await here.ipBatch(["route add default via 10.0.0.254", "route delete default via 10.0.0.254"]);
      await heard.until(({ change, route }) => change === "deleted" && route.destination === undefined);
      assert.ok(heard.all.some(({ change, route }) => change === "new" && route.destination === undefined));
    });

    it("notify of short prefixes only, behind the filter", async (t) => {
      await setUp("addr add 10.0.0.1/24 dev v0", "addr add fd00::1/64 dev v0 nodad");
      const types = new Set<number>();
      const filter = routeFilter();
      const heard = listen(
        t,
        [groups.ipv4Routes, groups.ipv6Routes, groups.links],
        decodeRouteEvent,
        filter,
        types,
      );
      await here.ipBatch([
        "route add 128.0.0.0/2 via 10.0.0.254",
        "route add 10.7.0.0/16 via 10.0.0.254",
        "route add 0.0.0.0/1 via 10.0.0.254",
        "route add default via fd00::fe",
        "route delete 10.7.0.0/16 via 10.0.0.254",
        "route delete 0.0.0.0/1 via 10.0.0.254",
        "link set v0 down",
      ]);
      await waitFor("a message about the link", () => types.has(16));
      assert.deepEqual(heard.all.map(({ change, route }) => `${change} ${text(route)}`).slice(0, 3), [
        "new 0.0.0.0/1",
        "new default",
        "deleted 0.0.0.0/1",
      ]);
      assert.ok(heard.all.every(({ route }) => route.prefixLength <= 1));
    });
  });

  it("is told the kernel's words when a request makes no sense", async () => {
    const value = { family: AF_INET6, prefixLength: 128, flags: routeFlags.of("prefix"), destination: "::1" };
    const request = { what: "look up", type: RTM_GETROUTE, body: body(routeRequest, value) };
    await assert.rejects(
      connection.get(request, () => 1),
      {
        code: "EINVAL",
        message: "cannot look up: ipv6: Invalid flags for get route request (EINVAL)",
      },
    );
  });

  it("tells of an overrun, and lives on", async (t) => {
    await setUp();
    const small = openRtnetlink({ receiveBuffer: 4096 });
    t.after(() => small.close());
    let overruns = 0;
    const heard: string[] = [];
    small.onOverrun(() => overruns++);
    small.subscribe(groups.ipv4Addresses, (message) => {
      heard.push(decodeAddressEvent(message)?.address.address ?? "");
    });
    const batch = Array.from({ length: 500 }, (_, i) => `addr add 10.2.${i >> 8}.${i & 255}/32 dev v0`);
    // The event loop stands still meanwhile.
    execFileSync("ip", ["-batch", "-"], { input: batch.join("\n") });
    await waitFor("the overrun", () => overruns > 0);
    assert.ok(heard.length < 500);
    assert.ok((await dumpAddresses(small, { family: 4 })).items.length >= 500);
    await here.ip("addr add 10.3.0.1/32 dev v0");
    await waitFor("a later event", () => heard.includes("10.3.0.1"));
  });

  it("runs dumps, look-ups and events at once", async (t) => {
    await setUp("addr add 10.0.0.1/24 dev v0", "route add default via 10.0.0.254");
    const heard = listen(t, [groups.ipv4Addresses], decodeAddressEvent);
    const batch = Array.from({ length: 500 }, (_, i) => `addr add 10.2.${i >> 8}.${i & 255}/32 dev v0`);
    const changes = here.ipBatch(batch);
    const results = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const dumps = [dumpLinks(connection), dumpAddresses(connection), dumpRoutes(connection)];
        await Promise.all([...dumps, lookupRoute(connection, { destination: "200.1.1.1" })]);
        return true;
      }),
    );
    await changes;
    assert.equal(results.length, 20);
    await heard.until(({ address }) => address.address === "10.2.1.243");
    const { items, interrupted } = await dumpAddresses(connection, { family: 4 });
    assert.equal(interrupted, false);
    assert.equal(items.filter(({ address }) => address.startsWith("10.2.")).length, 500);
  });
});

/** Collects what `decode` makes of notifications; until() waits for one that fits. */
function listen<T>(
  t: TestContext,
  wanted: readonly number[],
  decode: (message: NetlinkMessage) => T | undefined,
  filter?: Uint8Array,
  types = new Set<number>(),
) {
  const connection = openRtnetlink(filter === undefined ? {} : { filter });
  t.after(() => connection.close());
  const all: T[] = [];
  connection.subscribe(wanted, (message) => {
    types.add(message.type);
    const event = decode(message);
    if (event !== undefined) all.push(event);
  });
  return { all, until: (fits: (event: T) => boolean) => waitFor("a notification", () => all.some(fits)) };
}

type Row = ReadonlyMap<string, unknown>;

async function ipJson(host: Host, line: string): Promise<Row[]> {
  return objects(JSON.parse(await host.ip(`-j ${line}`)));
}

function object(value: unknown): Row {
  return new Map(typeof value === "object" && value !== null ? Object.entries(value) : []);
}

function objects(value: unknown): Row[] {
  return Array.isArray(value) ? value.map(object) : [];
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function sorted<T>(values: readonly T[]): T[] {
  return [...values].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

function text({ family, destination, prefixLength }: Route): string {
  if (destination === undefined) return "default";
  return prefixLength === (family === 4 ? 32 : 128) ? destination : `${destination}/${prefixLength}`;
}

const scopes = new Map([
  ["global", 0],
  ["link", 253],
  ["host", 254],
]);

/** Lifetimes run on between two looks. */
function lifetimes(valid: number, preferred: number) {
  const round = (seconds: number) => (seconds > 0xfffffff0 ? "for ever" : Math.ceil(seconds / 100));
  return { valid: round(valid), preferred: round(preferred) };
}

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
