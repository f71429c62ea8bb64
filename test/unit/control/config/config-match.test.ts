import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { compileGlob } from "../../../../src/base/glob.ts";
import { containerRule, type PathRule } from "../../../../src/control/config/config.ts";
import { contains, matchesRule, parsePrefix } from "../../../../src/control/config/match.ts";

const anything: PathRule = { ...containerRule, matchInterface: undefined, ignore: false };
const eth0 = { interfaceNames: ["eth0", "uplink"], kind: undefined, address: "10.1.2.3" };

describe("globs", () => {
  for (const [glob, fits, fitsNot] of [
    ["eth0", ["eth0"], ["eth00", "xeth0", ""]],
    ["eth*", ["eth", "eth0", "eth0.5"], ["veth0"]],
    ["*", ["", "x"], []],
    ["*a*b", ["ab", "xaxbxb"], ["ba", "abx"]],
    ["eth?", ["eth0", "eth\u{1f600}"], ["eth", "eth10"]],
    ["eth[0-2]", ["eth0", "eth2"], ["eth3", "eth-"]],
    ["eth[!0-2a]", ["eth3", "eth-"], ["eth1", "etha", "eth"]],
    ["[]x]", ["]", "x"], ["[", ""]],
    ["[!]x]", ["a"], ["]", "x"]],
    ["[a-]", ["a", "-"], ["b"]],
    ["a.b+(c)$", ["a.b+(c)$"], ["axb+(c)$", "a.bb(c)$"]],
    ["[.*]", [".", "*"], ["x"]],
  ] as const) {
    it(`${glob} fits as glob(7) says`, () => {
      for (const text of fits) assert.equal(compileGlob(glob)?.(text), true, `${glob} ${text}`);
      for (const text of fitsNot) assert.equal(compileGlob(glob)?.(text), false, `${glob} ${text}`);
    });
  }

  for (const glob of ["eth[", "eth[0", "[]", "[!]", "[z-a]"]) {
    it(`refuse ${glob}`, () => assert.equal(compileGlob(glob), undefined));
  }

  it("agree with a regular expression on every text", () => {
    const unit = fc.constantFrom("a", "b", "*", "?");
    fc.assert(
      fc.property(
        fc.string({ unit, maxLength: 8 }),
        fc.string({ unit: fc.constantFrom("a", "b") }),
        (glob, text) => {
          const pattern = new RegExp(`^${glob.replaceAll("*", ".*").replaceAll("?", ".")}$`);
          assert.equal(compileGlob(glob)?.(text), pattern.test(text));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("take no time however many stars they have", () => {
    const start = performance.now();
    assert.equal(compileGlob(`${"*a".repeat(60)}*b`)?.("a".repeat(120)), false);
    assert.ok(performance.now() - start < 20_000);
  });
});

describe("networks", () => {
  for (const [text, address, length] of [
    ["10.0.0.0/8", "10.0.0.0", 8],
    ["0.0.0.0/0", "0.0.0.0", 0],
    ["192.0.2.1", "192.0.2.1", 32],
    ["192.0.2.128/25", "192.0.2.128", 25],
    ["2001:DB8:0:0::/32", "2001:db8::", 32],
    ["::/0", "::", 0],
    ["fe80::1", "fe80::1", 128],
  ] as const) {
    it(`read ${text}`, () => {
      assert.deepEqual(parsePrefix(text), { family: text.includes(":") ? 6 : 4, address, length });
    });
  }

  for (const text of [
    "",
    "10",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/8/8",
    "010.0.0.0/8",
    "fe80::1%eth0",
    "10.0.0.1/8",
    "::1/64",
    "10.0.0.0/-1",
  ]) {
    it(`refuse "${text}"`, () => assert.ok("problem" in parsePrefix(text)));
  }

  it("hold their addresses, and none of the other family", () => {
    const holds = (text: string, address: string) => {
      const prefix = parsePrefix(text);
      return !("problem" in prefix) && contains(prefix, address);
    };
    assert.ok(holds("10.0.0.0/8", "10.255.255.255"));
    assert.ok(!holds("10.0.0.0/8", "11.0.0.0"));
    assert.ok(holds("192.0.2.128/25", "192.0.2.200"));
    assert.ok(!holds("192.0.2.128/25", "192.0.2.127"));
    assert.ok(holds("2001:db8::/33", "2001:db8:7fff::1"));
    assert.ok(!holds("2001:db8::/33", "2001:db8:8000::1"));
    assert.ok(holds("0.0.0.0/0", "1.2.3.4"));
    assert.ok(!holds("0.0.0.0/0", "::1"));
    assert.ok(!holds("::/0", "1.2.3.4"));
  });
});

describe("a rule", () => {
  it("without conditions matches everything", () => assert.ok(matchesRule(anything, eth0)));

  it("matches any of the interface's names", () => {
    assert.ok(matchesRule({ ...anything, matchInterface: ["wwan*", "up*"] }, eth0));
    assert.ok(!matchesRule({ ...anything, matchInterface: ["wwan*"] }, eth0));
  });

  it("takes names by their bytes: \\xff in a glob is one character of a name that is not UTF-8", () => {
    const fits = (glob: string, name: string) =>
      matchesRule({ ...anything, matchInterface: [glob] }, { ...eth0, interfaceNames: [name] });
    assert.ok(fits("\\xff\\x81", "\\xff\\x81"));
    assert.ok(!fits("\\xff\\x81", "\\xff\\x80"));
    assert.ok(fits("\\xff?", "\\xff\\x80"));
    assert.ok(fits("??", "\\xff\\x80"));
    assert.ok(fits("[\\x80-\\xff]*", "\\xff\\x80"));
    assert.ok(!fits("\\xff", "\\x5cxff"), "a name with a backslash");
    assert.ok(fits("\\x5cxff", "\\x5cxff"));
  });

  it("knows an interface without a kind as physical", () => {
    assert.ok(matchesRule({ ...anything, matchKind: ["physical"] }, eth0));
    assert.ok(!matchesRule({ ...anything, matchKind: ["physical"] }, { ...eth0, kind: "vlan" }));
    assert.ok(matchesRule({ ...anything, matchKind: ["vl*"] }, { ...eth0, kind: "vlan" }));
  });

  it("matches only when all of its conditions hold", () => {
    const matchAddress = [{ family: 4, address: "10.0.0.0", length: 8 } as const];
    assert.ok(matchesRule({ ...anything, matchInterface: ["eth*"], matchAddress }, eth0));
    assert.ok(!matchesRule({ ...anything, matchInterface: ["wlan*"], matchAddress }, eth0));
    assert.ok(
      !matchesRule({ ...anything, matchInterface: ["eth*"], matchAddress }, { ...eth0, address: "::1" }),
    );
  });

  it("for containers matches their interfaces and no others", () => {
    const matches = (name: string) => matchesRule(containerRule, { ...eth0, interfaceNames: [name] });
    for (const name of ["docker0", "br-1a2b", "virbr0", "veth12", "cni0", "cali5", "podman1", "lxcbr0"])
      assert.ok(matches(name), name);
    for (const name of ["eth0", "br0", "wlan0", "wg0"]) assert.ok(!matches(name), name);
  });
});
