import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultConfig, notifyFlags } from "../../../../src/control/config/config.ts";
import type { ReasonCode } from "../../../../src/control/policy/decision.ts";
import { decide } from "../../../../src/control/policy/policy.ts";
import { inputOf, type LinkSketch, networkOf } from "./world.ts";

/** The verdict over each address, as "ADDRESS CODE". */
function codes(sketches: Readonly<Record<string, LinkSketch>>): string[] {
  return decide(inputOf(networkOf(sketches))).map(({ address, code }) => `${address} ${code}`);
}

function codeOf(link: LinkSketch, others: Readonly<Record<string, LinkSketch>> = {}): ReasonCode | undefined {
  return decide(inputOf(networkOf({ eth0: link, ...others })))[0]?.code;
}

describe("an address becomes an endpoint", () => {
  it("if it is a unicast address of an interface that is up", () => {
    assert.deepEqual(codes({ eth0: { addresses: ["10.0.0.1", "fd00::1", "2001:470::1"] } }), [
      "10.0.0.1 usable",
      "fd00::1 usable",
      "2001:470::1 usable",
    ]);
  });

  it("with the flags of the configuration, bound to its device", () => {
    const [decision] = decide(inputOf(networkOf({ eth0: { addresses: ["10.0.0.1"] } })));
    assert.equal(decision?.endpoint?.flags.toString(), "subflow");
    assert.equal(decision?.endpoint?.ifIndex, 2);
  });

  it("of a VRF's member too, and of the VRF itself", () => {
    const vrf = { kind: "vrf", addresses: ["10.9.0.1"] };
    const member = { master: 3, slaveKind: "vrf", addresses: ["10.0.0.1"] };
    assert.deepEqual(codes({ eth0: member, red: vrf }), ["10.0.0.1 usable", "10.9.0.1 usable"]);
  });

  it("if it is temporary and the interface has no stable one", () => {
    assert.equal(codeOf({ addresses: [{ address: "2001:470::9", flags: ["temporary"] }] }), "usable");
  });

  it("if it is IPv4 and secondary, which shares its flag with temporary", () => {
    assert.deepEqual(
      codes({ eth0: { addresses: ["10.0.0.1", { address: "10.0.0.2", flags: ["temporary"] }] } }),
      ["10.0.0.1 usable", "10.0.0.2 usable"],
    );
  });
});

describe("an address is no endpoint", () => {
  const addresses: readonly (readonly [string, ReasonCode])[] = [
    ["127.0.0.2", "loopback"],
    ["::1", "loopback"],
    ["169.254.7.7", "link-local"],
    ["fe80::1", "link-local"],
    ["224.0.0.5", "multicast"],
    ["ff02::5", "multicast"],
  ];
  for (const [address, code] of addresses) {
    it(`if it is ${address} (${code})`, () => assert.equal(codeOf({ addresses: [address] }), code));
  }

  for (const [scope, name] of [
    [253, "link"],
    [254, "host"],
    [255, "nowhere"],
  ] as const) {
    it(`if it was given scope ${name}, whatever notify-flags says`, () => {
      const network = networkOf({ eth0: { addresses: [{ address: "10.0.0.1", scope }, "10.0.0.2"] } });
      for (const flags of [notifyFlags.of(), notifyFlags.of("skip_link_local", "skip_loopback")]) {
        const config = { ...defaultConfig, paths: [], notifyFlags: flags };
        const decisions = decide(inputOf(network, { config }));
        assert.deepEqual(
          decisions.map(({ code, reason }) => `${code}: ${reason}`),
          [`scope: address of scope ${name}`, "usable: usable"],
        );
      }
    });
  }

  it("but may be one of scope site, which other networks of the site reach", () => {
    assert.equal(codeOf({ addresses: [{ address: "10.0.0.1", scope: 200 }] }), "usable");
  });

  it("on the loopback interface", () => {
    assert.equal(codeOf({ flags: ["up", "running", "loopback"], addresses: ["10.0.0.1"] }), "loopback");
  });

  for (const [flag, code] of [
    ["tentative", "tentative"],
    ["dadFailed", "dad-failed"],
    ["deprecated", "deprecated"],
  ] as const) {
    it(`while it is ${code}`, () =>
      assert.equal(codeOf({ addresses: [{ address: "fd00::1", flags: [flag] }] }), code));
  }

  it("while it is temporary beside a stable one of its class", () => {
    const temporary = { address: "2001:470::9", flags: ["temporary"] } as const;
    assert.equal(codeOf({ addresses: [temporary, "2001:470::1"] }), "temporary");
    assert.equal(codeOf({ addresses: [temporary, "fd00::1"] }), "usable");
    assert.equal(
      codeOf({ addresses: [temporary, { address: "2001:470::1", flags: ["tentative"] }] }),
      "usable",
    );
  });

  it("while its interface is down", () => {
    assert.equal(codeOf({ flags: [], addresses: ["10.0.0.1"] }), "link-down");
  });

  it("while its interface has no carrier", () => {
    assert.equal(codeOf({ flags: ["up"], addresses: ["10.0.0.1"] }), "no-carrier");
  });

  for (const kind of ["bridge", "bond", "team"]) {
    it(`while its interface is a port of a ${kind}`, () => {
      assert.equal(
        codeOf({ master: 3, slaveKind: kind, addresses: ["10.0.0.1"] }, { top0: { kind } }),
        "enslaved",
      );
      assert.equal(codeOf({ master: 3, addresses: ["10.0.0.1"] }, { top0: { kind } }), "enslaved");
    });
  }
});

describe("a reason", () => {
  it("tells a lost carrier from one that never was", () => {
    const reason = (carrierUpCount: number): string | undefined =>
      decide(inputOf(networkOf({ eth0: { flags: ["up"], carrierUpCount, addresses: ["10.0.0.1"] } })))[0]
        ?.reason;
    assert.equal(reason(0), "eth0 has never had carrier");
    assert.equal(reason(3), "eth0 has lost its carrier");
  });
});
