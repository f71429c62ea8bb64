import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkout } from "../../../src/lab/kit/checkout.ts";

type Things = Record<"before" | "after" | "made", readonly string[]>;

const { tracesLeft }: { tracesLeft: (things: Things) => readonly string[] } = await import(
  join(checkout, "tools/traces.mjs")
);

const made = [
  "address 10.0.1.2/24 of eth1",
  "network namespace 7-client",
  "endpoint 10.0.1.2 id 1 subflow dev eth1",
];

describe("npm start", () => {
  it("reports whatever the tour has made and left on this machine", () => {
    const before = ["address 192.0.2.1/24 of eth0"];
    assert.deepEqual(tracesLeft({ before, after: [...before, ...made], made }), [
      "+ address 10.0.1.2/24 of eth1",
      "+ network namespace 7-client",
      "+ endpoint 10.0.1.2 id 1 subflow dev eth1",
    ]);
  });

  it("reports what was there before the tour made the same, and is gone", () => {
    const before = ["address 10.0.1.2/24 of eth1"];
    assert.deepEqual(tracesLeft({ before, after: [], made }), ["- address 10.0.1.2/24 of eth1"]);
  });

  it("says nothing of addresses, namespaces and endpoints that others make or remove meanwhile", () => {
    const before = ["network namespace container-1", "endpoint 192.0.2.1 id 1 signal"];
    const after = ["network namespace container-2", "address 172.17.0.1/16 of docker0"];
    assert.deepEqual(tracesLeft({ before, after, made }), []);
  });

  it("says nothing of what was the same before as it is in the tour", () => {
    assert.deepEqual(tracesLeft({ before: made, after: made, made }), []);
  });
});
