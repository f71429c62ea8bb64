import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RemovalDelays } from "../../../../src/control/endpoints/removal-delay.ts";
import type { Decision, Outcome } from "../../../../src/control/policy/decision.ts";

const delay = 100;

describe("delays of a removal", () => {
  it("are over for the policy when the delay is, and not before", () => {
    const { at, holds } = setUp();
    const seen: number[] = [];
    for (const time of [0, 99, 100]) {
      at(time);
      holds.apply(delay, (expired) => {
        seen.push(expired.size);
        return [decisionOf("held", 2)];
      });
    }
    assert.deepEqual(seen, [0, 0, 1]);
  });

  it("that ran out while the kernel was busy are due at once", () => {
    const { at, holds } = setUp();
    at(0);
    holds.apply(delay, () => [decisionOf("held", 2)]);
    at(40);
    assert.equal(holds.nextExpiry(delay), 60);
    at(140);
    assert.equal(holds.nextExpiry(delay), 0);
    holds.apply(delay, () => [decisionOf("held", 2)]);
    assert.equal(holds.nextExpiry(delay), undefined, "the policy knows");
  });

  it("with a delay of 0 are over in the same run", () => {
    const { holds } = setUp();
    const [decision] = holds.apply(0, (expired) => [decisionOf(expired.size > 0 ? "unusable" : "held", 2)]);
    assert.equal(decision?.outcome, "unusable");
  });

  it("end for the interface that lost the address, not for the one that gets it", () => {
    const { holds } = setUp();
    const decisions = holds.apply(0, (expired) =>
      expired.size > 0
        ? [decisionOf("endpoint", 3), decisionOf("unusable", 2)]
        : [decisionOf("waiting", 3), decisionOf("held", 2)],
    );
    assert.deepEqual(
      decisions.map(({ outcome }) => outcome),
      ["endpoint", "unusable"],
    );
  });
});

function setUp(): { holds: RemovalDelays; at: (time: number) => void } {
  let now = 0;
  const clock = { now: () => now, schedule: () => ({ cancel: () => undefined }) };
  return {
    holds: new RemovalDelays(clock),
    at: (time) => {
      now = time;
    },
  };
}

function decisionOf(outcome: Outcome, ifIndex: number): Decision {
  const place = { address: "10.0.0.1", ifIndex, interfaceName: `if${ifIndex}` };
  return { ...place, outcome, code: "address-gone", reason: "gone", endpoint: undefined };
}
