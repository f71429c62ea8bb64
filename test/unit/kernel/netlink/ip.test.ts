import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { canonicalIp, ipBytes, ipText } from "../../../../src/kernel/netlink/ip.ts";

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
});
