import assert from "node:assert/strict";
import {
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { Ledger } from "../../../../src/control/endpoints/ledger.ts";
import { endpointOf } from "../policy/world.ts";
import { World } from "./fakes.ts";

const endpoint = endpointOf({ id: 3, address: "10.0.0.1", ifIndex: 2 });
const another = endpointOf({ id: 4, address: "10.0.0.2", ifIndex: 2 });

type ChangeLedger = (ledger: Ledger) => void;

const some = fc
  .record({ id: fc.nat(3), host: fc.integer({ min: 1, max: 3 }) })
  .map(({ id, host }) => endpointOf({ id, address: `10.0.0.${host}`, ifIndex: 2 }));
const someLimits = fc.record({ subflows: fc.nat(8), addAddrAccepted: fc.nat(8) }, { noNullPrototype: true });
const changes: fc.Arbitrary<ChangeLedger> = fc.oneof(
  some.map(
    (one): ChangeLedger =>
      (ledger) =>
        ledger.record(one),
  ),
  some.map(
    (one): ChangeLedger =>
      (ledger) =>
        ledger.forget(one),
  ),
  some.map(
    (one): ChangeLedger =>
      (ledger) =>
        ledger.recordCommanded(one),
  ),
  some.map(
    (one): ChangeLedger =>
      (ledger) =>
        ledger.forgetCommanded(one),
  ),
  fc.nat(255).map(
    (capacity): ChangeLedger =>
      (ledger) =>
        ledger.recordCapacity(capacity),
  ),
  someLimits.map(
    (limits): ChangeLedger =>
      (ledger) =>
        ledger.recordLimits(limits.subflows === 0 ? undefined : { found: limits, ours: [limits] }),
  ),
  fc.constantFrom(undefined, { found: "kernel", ours: "userspace" }).map(
    (record): ChangeLedger =>
      (ledger) =>
        ledger.recordPathManager(record),
  ),
);

function stateOf({ endpoints, limits, capacity, pathManager }: Ledger) {
  return { endpoints, limits, capacity, pathManager };
}

describe("the ledger", () => {
  it("is found again by the next daemon of the namespace", (t) => {
    const world = new World(t);
    const ledger = world.ledger();
    ledger.record(endpoint);
    ledger.recordLimits({
      found: { subflows: 2, addAddrAccepted: 0 },
      ours: [{ subflows: 3, addAddrAccepted: 3 }],
    });
    ledger.recordCapacity(8);
    const again = world.ledger();
    assert.deepEqual(again.endpoints, [endpoint]);
    assert.deepEqual(again.limits?.found, { subflows: 2, addAddrAccepted: 0 });
    assert.equal(again.capacity, 8);
    assert.deepEqual(readdirSync(world.directory), ["netns-1.ledger.json"], "and leaves no other file");
  });

  it("says nothing about another boot, or another namespace", (t) => {
    const world = new World(t);
    world.ledger().record(endpoint);
    const open = (bootId: string, key: string): Ledger =>
      new Ledger({ directory: world.directory, namespace: { bootId, key }, warn: assert.fail });
    assert.deepEqual(open("another boot", "1").endpoints, []);
    assert.deepEqual(open("this boot", "2").endpoints, []);
  });

  it("that is damaged is as good as none, with a warning", (t) => {
    for (const text of [
      "",
      "{",
      "[]",
      '{"version":3,"bootId":"this boot","endpoints":[]}',
      '{"version":1,"bootId":"this boot","endpoints":[{}]}',
      '{"version":2,"bootId":"this boot","endpoints":[]}\n{"change":"capacity"}\n',
    ]) {
      const world = new World(t);
      writeFileSync(join(world.directory, "netns-1.ledger.json"), text);
      assert.deepEqual(world.ledger().endpoints, []);
      assert.match(world.said("warning"), /netns-1\.ledger\.json cannot be used/);
    }
  });

  it("of version 1, which was one object, is read, and written anew with the next change", (t) => {
    const world = new World(t);
    const file = join(world.directory, "netns-1.ledger.json");
    const { address, id, port, ifIndex, flags } = endpoint;
    const own = { address, id, port, ifIndex, flags: flags.value };
    writeFileSync(file, JSON.stringify({ version: 1, bootId: "this boot", endpoints: [own], capacity: 8 }));
    const ledger = world.ledger();
    assert.deepEqual([ledger.endpoints, ledger.capacity], [[endpoint], 8]);
    ledger.record(another);
    assert.match(readFileSync(file, "utf8"), /^\{"version":2,.*\}\n$/);
    assert.deepEqual(world.ledger().endpoints, [endpoint, another]);
  });

  it("gets a line for each change, and is one line again after a thousand", (t) => {
    const world = new World(t);
    const file = join(world.directory, "netns-1.ledger.json");
    const lines = (): number => readFileSync(file, "utf8").split("\n").length - 1;
    const ledger = world.ledger();
    ledger.record(endpoint);
    assert.equal(lines(), 1);
    const inode = statSync(file).ino;
    for (let change = 0; change < 1000; change++) ledger.recordCapacity(change);
    assert.deepEqual([lines(), statSync(file).ino], [1001, inode]);
    ledger.recordCapacity(8);
    assert.equal(lines(), 1);
    assert.deepEqual([world.ledger().endpoints, world.ledger().capacity], [[endpoint], 8]);
  });

  it("is written anew where somebody has removed or replaced its file, or made it a second name", (t) => {
    const world = new World(t);
    const file = join(world.directory, "netns-1.ledger.json");
    const ledger = world.ledger();
    ledger.record(endpoint);
    const meddling: readonly (() => void)[] = [
      () => unlinkSync(file),
      () => writeFileSync(`${file}.other`, "") ?? renameSync(`${file}.other`, file),
      () => linkSync(file, `${file}.second`),
    ];
    for (const [index, meddle] of meddling.entries()) {
      meddle();
      ledger.recordCapacity(index);
      assert.deepEqual([world.ledger().endpoints, world.ledger().capacity], [[endpoint], index]);
    }
  });

  it("whose writer dies at any byte says what it said before the change, or after it", (t) => {
    fc.assert(
      fc.property(fc.array(changes, { minLength: 1, maxLength: 12 }), fc.nat(), (all, cut) => {
        const world = new World(t);
        const file = join(world.directory, "netns-1.ledger.json");
        const ledger = world.ledger();
        ledger.recordCapacity(8);
        const states = [stateOf(ledger)];
        for (const change of all) {
          const before = readFileSync(file, "utf8").length;
          change(ledger);
          // A change may be no change.
          if (readFileSync(file, "utf8").length > before) states.push(stateOf(ledger));
        }
        const text = readFileSync(file, "utf8");
        const first = text.indexOf("\n") + 1;
        const length = first + (cut % (text.length - first + 1));
        writeFileSync(file, text.slice(0, length));
        const found = stateOf(world.ledger());
        assert.ok(states.some((state) => isDeepStrictEqual(state, found)));
        if (length === text.length) assert.deepEqual(found, states.at(-1));
        assert.equal(world.said("warning"), "");
      }),
      { numRuns: 300 },
    );
  });

  it("opened to be read is never written", (t) => {
    const world = new World(t);
    world.ledger().record(endpoint);
    const before = readFileSync(join(world.directory, "netns-1.ledger.json"), "utf8");
    const reader = world.ledger({ readOnly: true });
    reader.forget(endpoint);
    assert.equal(readFileSync(join(world.directory, "netns-1.ledger.json"), "utf8"), before);
  });

  it("owns what has the same id, address, port, interface and lasting flags", (t) => {
    const ledger = new World(t).ledger();
    ledger.record(endpoint);
    assert.ok(ledger.owns(endpoint));
    assert.ok(
      ledger.owns({ ...endpoint, flags: endpoint.flags.with("backup", "fullmesh") }),
      "changed in place",
    );
    for (const other of [
      { ...endpoint, id: 4 },
      { ...endpoint, address: "10.0.0.2" },
      { ...endpoint, port: 80 },
      { ...endpoint, ifIndex: 7 },
      { ...endpoint, flags: endpoint.flags.with("signal") },
    ])
      assert.ok(!ledger.owns(other));
  });
});
