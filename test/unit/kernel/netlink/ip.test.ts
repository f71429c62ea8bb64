import assert from "node:assert/strict";
import { isIP } from "node:net";
import { describe, it } from "node:test";
import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { canonicalIp, ipBytes, ipText } from "../../../../src/kernel/netlink/ip.ts";
import { ipv4, ipv6 } from "../../../../src/kernel/netlink/scalars.ts";

describe("IP addresses", () => {
  it("have one text: that of inet_ntop(3)", () => {
    for (const [text, canonical] of [
      ["10.0.0.1", "10.0.0.1"],
      ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
      ["::", "::"],
      ["::1", "::1"],
      ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
      ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
      ["::ffff:a00:1", "::ffff:10.0.0.1"],
      ["::FFFF:10.0.0.1", "::ffff:10.0.0.1"],
      ["::ffff:0:1", "::ffff:0.0.0.1"],
      ["::ffff:0:0", "::ffff:0.0.0.0"],
      ["::10.0.0.1", "::10.0.0.1"],
      ["::1:2", "::0.1.0.2"],
      ["::2", "::2"],
      ["::ffff", "::ffff"],
      ["64:ff9b::1.2.3.4", "64:ff9b::102:304"],
      ["::ffff:0:10.0.0.1", "::ffff:0:a00:1"],
    ] as const)
      assert.equal(canonicalIp(text), canonical, text);
  });

  it("are nothing else", () => {
    for (const text of [
      "",
      "10.0.0",
      "10.0.0.256",
      "010.0.0.1",
      "0x7f.1",
      "fe80::1%eth0",
      "1::2::3",
      "10.0.0.1/24",
      "host",
    ])
      assert.equal(canonicalIp(text), undefined, text);
  });

  it("are written as ipaddr.js writes RFC 5952, but for dotted quads", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constant(0), fc.nat(255)), { minLength: 16, maxLength: 16 }),
        (bytes) => {
          const text = ipText(Uint8Array.from(bytes));
          fc.pre(!text.includes("."));
          assert.equal(text, new ipaddr.IPv6(bytes).toRFC5952String());
        },
      ),
      { numRuns: 5000 },
    );
  });

  it("come back from their text byte by byte", () => {
    const byte = fc.oneof(fc.constant(0), fc.constant(255), fc.nat(255));
    const any = fc.oneof(
      ...[4, 16].map((length) => fc.array(byte, { minLength: length, maxLength: length })),
    );
    fc.assert(
      fc.property(any, (numbers) => {
        const bytes = Uint8Array.from(numbers);
        assert.deepEqual(ipBytes(ipText(bytes)), bytes);
        assert.equal(canonicalIp(ipText(bytes)), ipText(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  it("are what node:net takes for addresses, without zones, and the bytes are those of ipaddr.js", () => {
    fc.assert(
      fc.property(fc.oneof(written, nearly, fc.string({ unit: character, maxLength: 20 })), (text) => {
        const family = text.includes("%") ? 0 : isIP(text);
        assert.deepEqual([ipv4.accepts(text), ipv6.accepts(text)], [family === 4, family === 6]);
        if (family === 0) assert.throws(() => ipBytes(text), RangeError);
        else assert.deepEqual([...ipBytes(text)], bytesByLibrary(text));
      }),
      { numRuns: 20_000 },
    );
  });
});

const character = fc.constantFrom(..."0123456789abcdefABCDEF:.%xg ");

/** An address in one of many ways of writing, right or nearly so. */
const written = fc
  .record({
    groups: fc.array(
      fc.oneof(fc.constantFrom("0", "", "FFFF", "00", "12345"), fc.nat(0xffff).map(hexadecimal)),
      { maxLength: 9 },
    ),
    quad: fc.option(fc.array(fc.oneof(fc.nat(300).map(String), fc.constant("01")), { maxLength: 5 })),
    brink: fc.constantFrom("", ":", "::"),
  })
  .map(({ groups, quad, brink }) => {
    const tail = quad === null ? [] : [quad.join(".")];
    return `${[...groups, ...tail].join(":")}${brink}`;
  });

/** The text of an address with a few characters changed, left out or added. */
const nearly = fc
  .record({
    bytes: fc.oneof(
      ...[4, 16].map((length) =>
        fc.array(fc.oneof(fc.constant(0), fc.nat(255)), { minLength: length, maxLength: length }),
      ),
    ),
    edits: fc.array(fc.tuple(fc.nat(40), fc.nat(1), fc.string({ unit: character, maxLength: 1 })), {
      maxLength: 2,
    }),
  })
  .map(({ bytes, edits }) => {
    let text = ipText(Uint8Array.from(bytes));
    for (const [place, without, added] of edits)
      text = text.slice(0, place) + added + text.slice(place + without);
    return text;
  });

function hexadecimal(number: number): string {
  return number.toString(16);
}

/** ipaddr.js reads "::10.0.0.1" as "::ffff:10.0.0.1", so it is never given a dotted tail. */
function bytesByLibrary(text: string): number[] {
  const [, head, quad] = /^(.*:)([\d.]+\.[\d.]+)$/.exec(text) ?? [];
  if (head === undefined || quad === undefined) return ipaddr.parse(text).toByteArray();
  const [a = 0, b = 0, c = 0, d = 0] = ipaddr.IPv4.parse(quad).toByteArray();
  return ipaddr.parse(`${head}${hexadecimal(256 * a + b)}:${hexadecimal(256 * c + d)}`).toByteArray();
}
