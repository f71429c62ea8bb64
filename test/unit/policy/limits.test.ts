import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { limitsFor } from "../../../src/policy/limits.ts";
import { endpointOf } from "./world.ts";

const found = { subflows: 2, addAddrAccepted: 0 };
const endpoints = (count: number, flag: "subflow" | "signal" = "subflow") =>
  Array.from({ length: count }, (_, index) => endpointOf({ address: `10.0.0.${index}`, flags: [flag] }));

describe("limits", () => {
  it("leave room for as many subflows as there are endpoints, and two", () => {
    assert.deepEqual(limitsFor(endpoints(3), found, 64), { subflows: 5, addAddrAccepted: 5 });
  });

  it("accept no announced address unless an endpoint may start subflows", () => {
    assert.deepEqual(limitsFor(endpoints(3, "signal"), found, 64), { subflows: 5, addAddrAccepted: 0 });
  });

  it("are never above the kernel's maximum", () => {
    assert.deepEqual(limitsFor(endpoints(9), found, 8), { subflows: 8, addAddrAccepted: 8 });
  });

  it("are never lowered", () => {
    const high = { subflows: 8, addAddrAccepted: 7 };
    assert.deepEqual(limitsFor(endpoints(1), high, 8), high);
  });

  it("stay when there are no endpoints", () => {
    assert.deepEqual(limitsFor([], found, 8), found);
  });
});
