import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { limitsFor } from "../../../../src/control/policy/limits.ts";
import type { EndpointFlag } from "../../../../src/kernel/mptcp-pm.ts";
import { endpointOf } from "./world.ts";

const found = { subflows: 2, addAddrAccepted: 0 };
const endpoints = (count: number, ...flags: EndpointFlag[]) =>
  Array.from({ length: count }, (_, index) => endpointOf({ address: `10.0.0.${index}`, flags }));

describe("limits", () => {
  it("that leave no room for two subflows more than there are endpoints become the maximum", () => {
    assert.deepEqual(limitsFor(endpoints(3, "subflow"), found, 64), { subflows: 64, addAddrAccepted: 64 });
    assert.deepEqual(limitsFor(endpoints(3, "subflow"), { subflows: 4, addAddrAccepted: 5 }, 8), {
      subflows: 8,
      addAddrAccepted: 5,
    });
  });

  it("that are enough stay", () => {
    const enough = { subflows: 5, addAddrAccepted: 5 };
    assert.deepEqual(limitsFor(endpoints(3, "subflow"), enough, 64), enough);
  });

  it("of a mesh are the maximum: it has as many subflows as endpoints times the peer's addresses", () => {
    const most = { subflows: 8, addAddrAccepted: 8 };
    assert.deepEqual(limitsFor(endpoints(1, "fullmesh"), { subflows: 7, addAddrAccepted: 7 }, 8), most);
  });

  it("accept announced addresses where an endpoint may open subflows to them", () => {
    for (const flag of ["subflow", "fullmesh", "laminar"] as const)
      assert.equal(limitsFor(endpoints(1, flag), found, 8).addAddrAccepted, 8, flag);
    const one = [...endpoints(2, "signal"), ...endpoints(1, "laminar")];
    assert.equal(limitsFor(one, found, 8).addAddrAccepted, 8);
  });

  it("of a server that announces its addresses accept none", () => {
    for (const flags of [["signal"], ["backup"], ["signal", "backup"]] as const)
      assert.deepEqual(limitsFor(endpoints(3, ...flags), found, 8), { subflows: 8, addAddrAccepted: 0 });
  });

  it("are never above the kernel's maximum", () => {
    assert.deepEqual(limitsFor(endpoints(9, "subflow"), found, 8), { subflows: 8, addAddrAccepted: 8 });
  });

  it("are never lowered", () => {
    const high = { subflows: 8, addAddrAccepted: 7 };
    assert.deepEqual(limitsFor(endpoints(1, "subflow"), high, 8), high);
    assert.deepEqual(limitsFor(endpoints(1, "fullmesh"), { subflows: 20, addAddrAccepted: 20 }, 8), {
      subflows: 20,
      addAddrAccepted: 20,
    });
  });

  it("stay when there are no endpoints", () => {
    assert.deepEqual(limitsFor([], found, 8), found);
  });
});
