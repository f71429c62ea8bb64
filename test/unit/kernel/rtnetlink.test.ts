import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addressFlags, decodeAddress, decodeAddressEvent } from "../../../src/kernel/addresses.ts";
import { decodeLink, decodeLinkEvent, linkFlags } from "../../../src/kernel/links.ts";
import { addressMessage, linkMessage, routeMessage } from "../../../src/kernel/messages/rtnetlink.ts";
import type { NetlinkMessage } from "../../../src/kernel/netlink/wire.ts";
import { decodeRoute, decodeRouteEvent, dumpRoutes, routeFlags } from "../../../src/kernel/routes.ts";
import { openRtnetlink } from "../../../src/kernel/rtnetlink.ts";
import { frame, messages } from "../../lab/datagram.ts";
import { FakeKernel, multipart } from "../../lab/fake-kernel.ts";

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_NEWADDR = 20;
const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const AF_INET = 2;
const AF_BRIDGE = 7;
const AF_INET6 = 10;

describe("decodeLink", () => {
  const flags = linkFlags.of("up");
  const wlan0 = {
    family: 0,
    type: 1,
    index: 3,
    flags,
    name: "wlan0",
    operState: 6,
    mtu: 1500,
    carrierUpCount: 1,
  };

  it("gives the link, with what is absent left out", () => {
    assert.deepEqual(decodeLink(message(RTM_NEWLINK, linkMessage.encode(wlan0))), {
      index: 3,
      name: "wlan0",
      altNames: [],
      type: 1,
      flags,
      operState: "up",
      master: 0,
      carrierUpCount: 1,
      mtu: 1500,
    });
    const bare = {
      type: 1,
      index: 3,
      flags,
      name: "eth0",
      info: { kind: "veth", slaveKind: "bond" },
      master: 9,
    };
    const link = decodeLink(message(RTM_NEWLINK, linkMessage.encode(bare)));
    assert.deepEqual(
      [link?.kind, link?.slaveKind, link?.master, link?.operState],
      ["veth", "bond", 9, "unknown"],
    );
    assert.ok(link && !("mtu" in link) && !("carrierUpCount" in link));
  });

  it("takes no notice of a bridge's ports: their RTM_DELLINK does not delete the link", () => {
    const port = linkMessage.encode({ ...wlan0, family: AF_BRIDGE });
    assert.equal(decodeLinkEvent(message(RTM_DELLINK, port)), undefined);
    assert.equal(decodeLinkEvent(message(RTM_DELLINK, linkMessage.encode(wlan0)))?.change, "deleted");
  });

  it("takes no notice of wireless events, which lack nearly all of the link", () => {
    const scanned = linkMessage.encode({ index: 3, flags, name: "wlan0", wireless: Uint8Array.of(1) });
    assert.equal(decodeLink(message(RTM_NEWLINK, scanned)), undefined);
  });

  it("takes an operational state that it does not know for unknown", () => {
    const link = decodeLink(message(RTM_NEWLINK, linkMessage.encode({ ...wlan0, operState: 99 })));
    assert.equal(link?.operState, "unknown");
  });
});

describe("decodeAddress", () => {
  const base = {
    family: AF_INET,
    prefixLength: 24,
    scope: 0,
    ifIndex: 3,
    oldFlags: addressFlags.of("permanent"),
  };

  it("takes the local address of a point-to-point link, and the other for its peer", () => {
    const both = { ...base, local: "10.0.0.1", address: "10.0.0.2" };
    const address = decodeAddress(message(RTM_NEWADDR, addressMessage.encode(both)));
    assert.deepEqual([address?.address, address?.peer], ["10.0.0.1", "10.0.0.2"]);
    const same = decodeAddress(message(RTM_NEWADDR, addressMessage.encode({ ...both, address: "10.0.0.1" })));
    assert.ok(same && !("peer" in same));
  });

  it("prefers the wide flags to the eight of the header", () => {
    const narrow = { ...base, address: "10.0.0.1" };
    const flags = addressFlags.of("permanent", "stablePrivacy");
    assert.deepEqual(
      decodeAddress(message(RTM_NEWADDR, addressMessage.encode(narrow)))?.flags,
      base.oldFlags,
    );
    assert.deepEqual(
      decodeAddress(message(RTM_NEWADDR, addressMessage.encode({ ...narrow, flags })))?.flags,
      flags,
    );
  });

  it("has lifetimes in seconds, for ever as Infinity", () => {
    const cacheInfo = { preferred: 60, valid: 0xffffffff, created: 7, updated: 8 };
    const address = decodeAddress(
      message(RTM_NEWADDR, addressMessage.encode({ ...base, address: "10.0.0.1", cacheInfo })),
    );
    assert.deepEqual(
      [address?.preferredLifetime, address?.validLifetime, address?.created],
      [60, Infinity, 7],
    );
  });

  it("takes no notice of other families and other messages", () => {
    const other = addressMessage.encode({ ...base, family: 6, address: "10.0.0.1" });
    assert.equal(decodeAddressEvent(message(RTM_NEWADDR, other)), undefined);
    assert.equal(
      decodeAddressEvent(message(RTM_NEWLINK, addressMessage.encode({ ...base, address: "::1" }))),
      undefined,
    );
  });
});

describe("decodeRoute", () => {
  const base = { family: AF_INET, type: 1, shortTable: 254, ifIndex: 3, gateway: "10.0.0.1" };

  it("has one hop, or all of a multipath route, and gateways of the other family", () => {
    const hops = (value: Parameters<typeof routeMessage.encode>[0]) => decode(value)?.hops;
    assert.deepEqual(hops(base), [{ ifIndex: 3, gateway: "10.0.0.1", weight: 1 }]);
    assert.deepEqual(hops({ family: AF_INET, ifIndex: 3, via: "fd00::1" }), [
      { ifIndex: 3, gateway: "fd00::1", weight: 1 },
    ]);
    const multipath = [
      { flags: 0, weightLessOne: 2, ifIndex: 3, gateway: "10.0.0.1" },
      { flags: 0, weightLessOne: 0, ifIndex: 4 },
    ];
    assert.deepEqual(hops({ family: AF_INET, multipath }), [
      { ifIndex: 3, gateway: "10.0.0.1", weight: 3 },
      { ifIndex: 4, weight: 1 },
    ]);
    assert.deepEqual(hops({ family: AF_INET6, type: 7 }), []);
  });

  it("has the number of tables beyond 255 from the attribute", () => {
    assert.equal(decode(base)?.table, 254);
    assert.equal(decode({ ...base, shortTable: 252, table: 70000 })?.table, 70000);
  });

  it("takes no notice of cached exceptions", () => {
    assert.equal(decode({ ...base, flags: routeFlags.of("cloned") }), undefined);
  });

  it("skips long prefixes before it decodes anything", () => {
    const long = routeMessage.encode({ ...base, prefixLength: 24 });
    const broken = Uint8Array.from([...long.subarray(0, 12), 1, 0, 1, 0]);
    assert.throws(() => decodeRoute(message(RTM_NEWROUTE, broken)), { code: "EBADMSG" });
    assert.equal(decodeRouteEvent(message(RTM_DELROUTE, broken), 1), undefined);
  });

  function decode(value: Parameters<typeof routeMessage.encode>[0]) {
    return decodeRoute(message(RTM_NEWROUTE, routeMessage.encode(value)));
  }
});

describe("dumpRoutes", () => {
  it("leaves out what is longer than wanted", async () => {
    const lengths = [0, 24, 1, 32, 2];
    const kernel = new FakeKernel(() =>
      multipart(
        lengths.map((prefixLength) => ({
          type: RTM_NEWROUTE,
          payload: routeMessage.encode({ family: AF_INET, prefixLength, destination: "0.0.0.0" }),
        })),
      ),
    );
    const connection = openRtnetlink({ open: kernel.open });
    const { items } = await dumpRoutes(connection, { maxPrefixLength: 1 });
    connection.close();
    assert.deepEqual(
      items.map(({ destination, prefixLength }) => [destination, prefixLength]),
      [
        [undefined, 0],
        ["0.0.0.0", 1],
      ],
    );
  });
});

function message(type: number, payload: Uint8Array): NetlinkMessage {
  const [first] = messages(frame({ type, flags: 0, sequence: 0, portId: 0 }, payload));
  assert.ok(first);
  return first;
}
