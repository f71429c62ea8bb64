import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Contender, compareContenders, seat } from "../../../../src/control/policy/slots.ts";

const plain: Contender = {
  address: "10.0.0.1",
  ifIndex: 2,
  priority: 0,
  alias: false,
  live: false,
  hasDefaultRoute: true,
  uniqueLocal: false,
  created: 0,
};

function contender(address: string, changes: Partial<Contender> = {}): Contender {
  return { ...plain, address, ...changes };
}

function winners(contenders: readonly Contender[], slots: number): string[] {
  return [...seat(contenders, slots)].map(({ address }) => address).sort();
}

describe("with more addresses than slots", () => {
  it("the rank is priority, first address, default route, global address, age", () => {
    const ranked = [
      contender("better priority", { priority: -1, alias: true, hasDefaultRoute: false }),
      contender("oldest", { created: 1 }),
      contender("younger", { created: 2 }),
      contender("unique-local", { uniqueLocal: true }),
      contender("no default route", { hasDefaultRoute: false }),
      contender("alias", { alias: true }),
      contender("worse priority", { priority: 1 }),
    ];
    assert.deepEqual(ranked.toReversed().sort(compareContenders), ranked);
  });

  it("who is live stays, although others rank better by age, route or class", () => {
    const live = contender("live", { live: true, hasDefaultRoute: false, uniqueLocal: true, created: 9 });
    assert.deepEqual(winners([contender("better"), live], 1), ["live"]);
  });

  it("who is live gives way to a better priority", () => {
    assert.deepEqual(winners([contender("better", { priority: -1 }), contender("live", { live: true })], 1), [
      "better",
    ]);
  });

  it("a live alias gives way to another interface's first address, not to its own interface's", () => {
    const alias = contender("alias", { live: true, alias: true });
    assert.deepEqual(winners([contender("first", { ifIndex: 3 }), alias], 1), ["first"]);
    assert.deepEqual(winners([contender("first", { ifIndex: 2 }), alias], 1), ["alias"]);
  });

  it("the worst of those that give way goes", () => {
    const good = contender("good", { live: true, alias: true, created: 1 });
    const bad = contender("bad", { live: true, alias: true, created: 2 });
    assert.deepEqual(winners([good, bad, contender("first", { ifIndex: 3 })], 2), ["first", "good"]);
  });

  const arbitrary = fc.record({
    address: fc.uuid(),
    ifIndex: fc.integer({ min: 1, max: 4 }),
    priority: fc.integer({ min: -1, max: 1 }),
    alias: fc.boolean(),
    live: fc.boolean(),
    hasDefaultRoute: fc.boolean(),
    uniqueLocal: fc.boolean(),
    created: fc.nat(9),
  });
  const contenders = fc.uniqueArray(arbitrary, { selector: ({ address }) => address, maxLength: 20 });

  it("every slot is used and none twice", () => {
    fc.assert(
      fc.property(contenders, fc.integer({ min: -2, max: 12 }), (all, slots) => {
        assert.equal(seat(all, slots).size, Math.max(0, Math.min(slots, all.length)));
      }),
    );
  });

  it("the outcome is stable: when the winners are live, nothing changes", () => {
    fc.assert(
      fc.property(contenders, fc.nat(12), (all, slots) => {
        const seated = seat(all, slots);
        const next = all.map((one) => ({ ...one, live: seated.has(one) }));
        assert.deepEqual(winners(next, slots), winners(all, slots));
      }),
    );
  });

  it("the outcome does not depend on the order of the addresses", () => {
    fc.assert(
      fc.property(contenders, fc.nat(12), fc.nat(), (all, slots, turn) => {
        const at = all.length === 0 ? 0 : turn % all.length;
        assert.deepEqual(winners([...all.slice(at), ...all.slice(0, at)], slots), winners(all, slots));
      }),
    );
  });
});
