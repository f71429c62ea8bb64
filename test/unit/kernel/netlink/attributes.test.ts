import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bitNames } from "../../../../src/kernel/netlink/bits.ts";
import { NetlinkProtocolError, NetlinkValueError } from "../../../../src/kernel/netlink/errors.ts";
import {
  attributes,
  bits,
  bytes,
  type Decoded,
  type Encodable,
  flag,
  ipv4,
  ipv6,
  list,
  message,
  nested,
  oneOf,
  repeated,
  required,
  s32,
  string,
  struct,
  u8,
  u16,
  u16be,
  u32,
  u64,
  withDefault,
} from "../../../../src/kernel/netlink/schema.ts";

const flags = bitNames({ signal: 0, subflow: 1 });
const endpoint = attributes({
  family: u16(1),
  id: required(u8(2)),
  address: oneOf({ 3: ipv4, 4: ipv6 }),
  port: withDefault(u16(5), 0),
  flags: bits(6, flags),
  ifIndex: s32(7),
});

describe("attributes", () => {
  it("give the type that the table says", () => {
    const value: Decoded<typeof endpoint> = { id: 1, port: 0 };
    const given: Encodable<typeof endpoint> = { id: 1 };
    const family: number | undefined = value.family;
    assert.deepEqual([value, given, family], [{ id: 1, port: 0 }, { id: 1 }, undefined]);
    // @ts-expect-error: required
    assert.throws(() => endpoint.encode({}), NetlinkValueError);
  });

  it("encode as the kernel lays them out: length, type, value, padding to 4", () => {
    const value = { id: 7, address: "10.0.0.1", ifIndex: -1 };
    assert.equal(hex(endpoint.encode(value)), "0500020007000000" + "080003000a000001" + "08000700ffffffff");
    const outer = attributes({ inner: nested(1, endpoint), port: u16be(2) });
    assert.equal(
      hex(outer.encode({ inner: { id: 7 }, port: 443 })),
      "0c000180" + "0500020007000000" + "0600020001bb0000",
    );
  });

  it("skip what is unknown, and take the last of several with one number", () => {
    const table = attributes({ id: u8(2) });
    assert.deepEqual(table.decode(unhex("05002000ff000000" + "0500020001000000" + "0500020002000000")), {
      id: 2,
    });
  });

  it("mask the NESTED and NET_BYTEORDER bits", () => {
    const table = attributes({ id: u8(2), port: u16be(3) });
    assert.deepEqual(table.decode(unhex("0500028001000000" + "0600034001bb0000")), { id: 1, port: 443 });
  });

  it("read a longer attribute by its first bytes, and one without padding at the end", () => {
    assert.deepEqual(attributes({ id: u8(2) }).decode(unhex("0800020001020304")), { id: 1 });
    assert.deepEqual(attributes({ id: u8(2) }).decode(unhex("0500020009")), { id: 9 });
  });

  it("name the attribute, its place and its length when it is too short", () => {
    const outer = attributes({ inner: nested(1, attributes({ port: u16(5) })) });
    assert.throws(() => outer.decode(unhex("09000100" + "0500050001")), {
      name: "NetlinkProtocolError",
      code: "EBADMSG",
      message: "attribute inner.port: u16 needs 2 bytes (at byte 4, length 1)",
      attribute: "inner.port",
      offset: 4,
      length: 1,
    });
  });

  it("refuse lengths that lie", () => {
    for (const bytes of ["0300020001000000", "ff00020001000000", "0000", "05000200010000000400"])
      assert.throws(() => endpoint.decode(unhex(bytes)), NetlinkProtocolError, bytes);
  });

  it("refuse the absence of what is required", () => {
    assert.throws(() => endpoint.decode(new Uint8Array()), {
      attribute: "id",
      message: /^attribute id: is missing/,
    });
  });

  it("refuse values that do not fit, by name, before anything is sent", () => {
    const outer = attributes({ inner: nested(1, endpoint) });
    for (const [value, message] of [
      [{ id: 256 }, "attribute inner.id: 256 is no u8"],
      [{ id: 1.5 }, "attribute inner.id: 1.5 is no u8"],
      [{ id: 1, address: "10.0.0" }, 'attribute inner.address: "10.0.0" is no IPv4 address or IPv6 address'],
      [
        { id: 1, address: "fe80::1%eth0" },
        'attribute inner.address: "fe80::1%eth0" is no IPv4 address or IPv6 address',
      ],
    ] as const)
      assert.throws(() => outer.encode({ inner: value }), { name: "NetlinkValueError", message });
    assert.throws(() => attributes({ data: bytes(1) }).encode({ data: new Uint8Array(65532) }), /too long/);
  });

  it("hold text, presence, 64-bit numbers, lists and repetitions", () => {
    const table = attributes({
      name: string(1),
      on: flag(2),
      off: flag(3),
      sequence: u64(4),
      groups: list(5, attributes({ id: required(u32(2)) })),
      altNames: repeated(string(6)),
      none: repeated(string(7)),
    });
    const value = {
      name: "wlan0 ü",
      on: true,
      sequence: 2n ** 64n - 1n,
      groups: [{ id: 1 }, { id: 2 }],
      altNames: ["a", "b"],
    };
    assert.deepEqual(table.decode(table.encode(value)), { ...value, off: false, none: [] });
    assert.deepEqual(attributes({ name: string(1) }).decode(unhex("06000100" + "6162")), { name: "ab" });
  });

  it("refuse a list whose items are too short", () => {
    const table = attributes({ numbers: list(1, u32) });
    assert.deepEqual(table.decode(table.encode({ numbers: [7] })), { numbers: [7] });
    assert.throws(() => table.decode(unhex("0a000180" + "0600010007000000")), {
      attribute: "numbers",
      offset: 4,
      length: 2,
    });
  });

  it("copy bytes: the datagram's memory is used again", () => {
    const datagram = attributes({ data: bytes(1) }).encode({ data: Uint8Array.of(1, 2) });
    const { data } = attributes({ data: bytes(1) }).decode(datagram);
    datagram.fill(0);
    assert.deepEqual(data, Uint8Array.of(1, 2));
  });

  it("cannot be declared twice under one number", () => {
    assert.throws(() => attributes({ a: u8(1), b: u8(1) }), RangeError);
  });
});

describe("struct", () => {
  it("lies in memory as C lays it out", () => {
    const ifinfomsg = struct({ family: u8, type: u16, index: s32, flags: u32, change: u32 });
    assert.equal(ifinfomsg.size, 16);
    assert.equal(hex(ifinfomsg.encode({ family: 1, type: 2, index: 3 })), "01000200030000000000000000000000");
    assert.equal(struct({ small: u8, large: u64, tail: u8 }).size, 24);
  });

  it("leaves out later fields that an older kernel does not have", () => {
    const info = struct({ subflows: u8 }, { token: u32 });
    assert.deepEqual(info.decode(unhex("02")), { subflows: 2 });
    assert.deepEqual(info.decode(unhex("0200000005000000")), { subflows: 2, token: 5 });
    assert.throws(() => info.decode(new Uint8Array()), NetlinkProtocolError);
  });
});

describe("message", () => {
  const address = message({ header: struct({ family: u8, index: u32 }), attributes: { local: ipv4(2) } });

  it("is header and attributes in one", () => {
    const bytes = address.encode({ family: 2, index: 3, local: "10.0.0.1" });
    assert.equal(hex(bytes), "0200000003000000" + "080002000a000001");
    assert.deepEqual(address.decode(bytes), { family: 2, index: 3, local: "10.0.0.1" });
    assert.throws(() => address.decode(bytes.subarray(0, 7)), NetlinkProtocolError);
  });

  it("refuses a name that both have", () => {
    assert.throws(
      () => message({ header: struct({ family: u8 }), attributes: { family: u8(1) } }),
      RangeError,
    );
  });
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function unhex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "hex"));
}
