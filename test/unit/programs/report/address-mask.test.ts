import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { canonicalIp } from "../../../../src/kernel/netlink/ip.ts";
import { AddressMask } from "../../../../src/programs/report/address-mask.ts";

const masked = (text: string) => new AddressMask("mask").apply(text);

describe("addresses in a report", () => {
  it("have one name wherever they occur, which tells who is in one network", () => {
    const mask = new AddressMask("mask");
    assert.equal(
      mask.apply(
        "91.1.2.3/24 via 91.1.2.1, 91.1.2.0/24, 91.1.9.3; 2a00:1450::7 2a00:1450:0:0::8 2a00:1450::/64",
      ),
      "public4-1.1/24 via public4-1.2, public4-1.0/24, public4-2.1; public6-1.1 public6-1.2 public6-1.0/64",
    );
    assert.equal(mask.apply("2A00:1450:0::7 91.1.2.3"), "public6-1.1 public4-1.1");
  });

  it("are found whatever stands around them", () => {
    const cases: readonly (readonly [string, string])[] = [
      ["saddr4=91.1.2.3,", "saddr4=public4-1.1,"],
      ["91.1.2.3:443", "public4-1.1:443"],
      ["[2a00::1]:443", "[public6-1.1]:443"],
      ["endpoint 2a00::1: too many", "endpoint public6-1.1: too many"],
      ["to 91.1.2.3.", "to public4-1.1."],
      ["from:91.1.2.3", "from:public4-1.1"],
      ["via:2a00::1", "via:public6-1.1"],
      ["2a00::1%eth0", "public6-1.1%eth0"],
      ["::ffff:91.1.2.3", "::ffff:public4-1.1"],
      ["64:ff9b::5b01:203", "public6-1.1"],
      ['{"address":"2a00::1"}', '{"address":"public6-1.1"}'],
    ];
    for (const [text, expected] of cases) assert.equal(masked(text), expected, text);
  });

  it("are hidden by default only if they lead to somebody, or were made of a hardware address", () => {
    const kept =
      "10.0.0.1 192.168.1.2 172.16.0.1 100.64.0.1 169.254.1.1 fd00::1 fe80::1 127.0.0.1 ::1 0.0.0.0 :: ff02::1";
    assert.equal(masked(kept), kept);
    assert.equal(masked("fe80::94f7:48ff:fe52:cac0 fd00::94f7:48ff:fe52:cac0"), "local6-1.1 private6-1.1");
  });

  it("are all hidden by mask-all, but for those that everybody has", () => {
    const mask = new AddressMask("mask-all");
    assert.equal(
      mask.apply("10.0.0.1 fe80::1 fd00::1 91.1.2.3 127.0.0.1 ::1 ff02::1 0.0.0.0"),
      "private4-1.1 local6-1.1 private6-1.1 public4-1.1 127.0.0.1 ::1 ff02::1 0.0.0.0",
    );
  });

  it("are kept by keep, hardware addresses too", () => {
    const text = "91.1.2.3 2a00::1 52:54:00:12:34:56 enx525400123456";
    assert.equal(new AddressMask("keep").apply(text), text);
  });

  it("include hardware addresses, also in names of interfaces", () => {
    assert.equal(
      masked("52:54:00:12:34:56 enx525400123456 52-54-00-AA-BB-CC 00:00:00:00:00:00"),
      "mac-1 enx-mac-1 mac-2 00:00:00:00:00:00",
    );
  });

  it("are not seen in times, dates, versions and tokens", () => {
    const text =
      "2026-11-25T22:09:41.123Z 12:30:15 6.18.44 v20.20.2 token 84e50ebe 1.2.3.4.5 a::b::c 999.1.1.1";
    assert.equal(masked(text).replace(/public4-\d\.\d\.5/, "1.2.3.4.5"), text);
  });

  it("leave the columns of a table where they are", () => {
    const mask = new AddressMask("mask");
    assert.equal(
      mask.applyToTable(
        "ADDRESS               DEV\n91.1.2.3              eth0\n2a00:1450:4001::2003  eth0\n",
      ),
      "ADDRESS               DEV\npublic4-1.1           eth0\npublic6-1.1           eth0\n",
    );
  });

  it("never get through, whatever they are and wherever they stand", () => {
    const quad = fc.ipV4().filter((address) => masked(address) !== address);
    const six = fc
      .ipV6()
      .map((text) => canonicalIp(text) ?? "")
      .filter((address) => masked(address) !== address);
    const around = fc.constantFrom("", " ", ":", ".", ",", "=", "[", "]", '"', "/", "x", "port ", "\n");
    fc.assert(
      fc.property(fc.oneof(quad, six), around, around, (address, before, after) => {
        assert.ok(!masked(`${before}${address}${after}`).includes(address), `${before}${address}${after}`);
      }),
      { numRuns: 2000 },
    );
  });
});
