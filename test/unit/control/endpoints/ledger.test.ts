import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Ledger } from "../../../../src/control/endpoints/ledger.ts";
import { endpointOf } from "../policy/world.ts";
import { World } from "./fakes.ts";

const endpoint = endpointOf({ id: 3, address: "10.0.0.1", ifIndex: 2 });

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
      '{"version":2}',
      '{"version":1,"bootId":"this boot","endpoints":[{}]}',
    ]) {
      const world = new World(t);
      writeFileSync(join(world.directory, "netns-1.ledger.json"), text);
      assert.deepEqual(world.ledger().endpoints, []);
      assert.match(world.said("warning"), /netns-1\.ledger\.json cannot be used/);
    }
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
