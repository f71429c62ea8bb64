import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { listedConnections } from "../../../../src/control/connections/from-sock-diag.ts";
import { announced, closed, found, ofSubflow, opening, removed } from "./builders.ts";
import { CheckpointWorld, factsOf } from "./checkpoint-world.ts";
import { KernelHistory, kernelSteps } from "./kernel-history.ts";

const nothing = { serverSide: false, denyJoinId0: false, announced: [], announcedIsComplete: true };

describe("the checkpoint", () => {
  it("knows after a restart what the kernel tells only once", (t) => {
    const world = CheckpointWorld.begun(t);
    world.apply(
      opening("created", { serverSide: true, denyJoinId0: true }),
      announced(3, "10.1.0.2", 81),
      announced(4, "2001:db8::1"),
    );
    assert.deepEqual(world.facts(), {
      serverSide: true,
      denyJoinId0: true,
      announced: [
        { id: 3, address: "10.1.0.2", port: 81 },
        { id: 4, address: "2001:db8::1", port: 80 },
      ],
      announcedIsComplete: true,
    });
    assert.deepEqual(world.warnings, []);
  });

  it("knows what was told last: a confirmation, an address in place of another, one that is gone", (t) => {
    const world = CheckpointWorld.begun(t);
    world.apply(opening("created"), opening("established", { denyJoinId0: true }));
    world.apply(announced(3, "10.1.0.2"), announced(3, "10.1.0.3"), announced(4, "10.1.0.4"), removed(4));
    const address = { id: 3, address: "10.1.0.3", port: 80 };
    assert.deepEqual(world.facts(), { ...nothing, denyJoinId0: true, announced: [address] });
  });

  it("knows also that something is not known", (t) => {
    const world = CheckpointWorld.begun(t);
    world.table.reconcile(found({ subflows: [] }), () => undefined);
    world.checkpoint.flush();
    const unknown = { serverSide: "unknown", denyJoinId0: "unknown", announcedIsComplete: false };
    assert.deepEqual(world.facts({ subflows: [] }), { ...nothing, ...unknown });
  });

  it("forgets a connection when that is closed", (t) => {
    const world = CheckpointWorld.begun(t);
    world.apply(opening("created"), announced(3, "10.1.0.2"), closed(), opening("created"));
    assert.deepEqual(world.facts(), nothing);
    world.apply(closed());
    assert.equal(world.facts(), undefined);
  });

  it("takes nothing for a connection with other ports: tokens may come back", (t) => {
    const world = CheckpointWorld.begun(t);
    world.apply(opening("created"));
    assert.deepEqual(world.facts(), nothing);
    assert.equal(world.facts({ token: 2 }), undefined);
    assert.equal(world.facts({ local: { address: "10.0.0.1", port: 40001 } }), undefined);
    assert.equal(world.facts({ remote: { address: "10.1.0.1", port: 81 } }), undefined);
  });

  it("is written before the event loop turns again, all changes at once", async (t) => {
    const world = CheckpointWorld.begun(t);
    const before = world.text;
    world.table.apply(opening("created"));
    world.table.apply(announced(3, "10.1.0.2"));
    assert.equal(world.text, before, "not one by one");
    await turn();
    assert.equal(world.facts()?.announced.length, 1);
  });

  it("is written 2 ms after the last time at the earliest", async (t) => {
    const world = CheckpointWorld.begun(t);
    world.table.apply(opening("created"));
    await turn();
    world.table.apply(announced(3, "10.1.0.2"));
    await turn();
    assert.equal(world.facts()?.announced.length, 0);
    world.clock.advance(2);
    assert.equal(world.facts()?.announced.length, 1);
  });

  it("is written no further when nothing happens that it keeps", (t) => {
    const world = CheckpointWorld.begun(t);
    world.apply(opening("established"));
    const before = world.text;
    world.apply(ofSubflow("subflowEstablished"), ofSubflow("subflowPriority", { backup: true }));
    world.apply(ofSubflow("subflowClosed"));
    assert.equal(world.text, before);
  });

  it("leaves what it has read as it was until it begins anew, with the connections of then", (t) => {
    const world = CheckpointWorld.begun(t);
    world.apply(opening("created"), opening("created", { token: 2 }));
    const before = world.text;
    const next = world.another();
    next.load();
    const connection = world.table.get(1);
    assert.ok(connection);
    next.record({ type: "connectionClosed", connection });
    next.flush();
    assert.equal(world.text, before);
    world.table.apply(closed(2));
    next.begin();
    assert.equal(next.factsOf(found()), undefined, "no longer needed");
    assert.deepEqual([world.facts(), world.facts({ token: 2 })], [nothing, undefined]);
  });

  it("knows of each connection what the table knows, whatever happened", (t) => {
    const step = fc.record({ kind: fc.constantFrom(...kernelSteps), pick: fc.nat(11), flag: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
        const world = CheckpointWorld.begun(t);
        const kernel = new KernelHistory();
        for (const one of steps) world.apply(...kernel.step(one));
        const next = world.another();
        next.load();
        for (const connection of listedConnections(kernel.outlines())) {
          const [facts, known] = [next.factsOf(connection), world.table.get(connection.token)];
          assert.ok(facts && known);
          assert.deepEqual(factsOf(facts), factsOf(known));
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe("of what another has left, the checkpoint", () => {
  it("parses the lines of a connection when it is asked for, so that a start is quick with many", (t) => {
    const world = CheckpointWorld.begun(t);
    for (let token = 1; token <= 20; token++) world.apply(opening("created", { token }));
    const next = world.another();
    const parse = t.mock.method(JSON, "parse");
    next.load();
    assert.equal(parse.mock.callCount(), 1, "the header");
    assert.ok(next.factsOf(found({ token: 7 })));
    assert.equal(parse.mock.callCount(), 2);
  });

  it("takes nothing where there is none", (t) => {
    const world = new CheckpointWorld(t);
    assert.equal(world.facts(), undefined);
    assert.deepEqual(world.warnings, []);
  });

  it("takes nothing from another boot", (t) => {
    const world = CheckpointWorld.begun(t);
    world.apply(opening("created"));
    assert.equal(world.facts({}, "another boot"), undefined);
    assert.deepEqual(world.warnings, []);
  });

  it("takes nothing from another version, or where the beginning is not its own", (t) => {
    const world = CheckpointWorld.begun(t);
    world.apply(opening("created"));
    const [header = "", ...lines] = world.text.split("\n");
    for (const other of [
      '["mptcpd connections",2,"this boot"]',
      '["something else",1,"this boot"]',
      "garbage",
      "",
      lines[0] ?? "",
    ]) {
      assert.notEqual(other, header);
      writeFileSync(world.file, [other, ...lines].join("\n"));
      assert.equal(world.facts(), undefined, other);
    }
    assert.deepEqual(world.warnings, []);
  });

  it("takes all but what is cut off", (t) => {
    const world = CheckpointWorld.begun(t);
    world.apply(opening("created"));
    const { length } = world.text;
    world.apply(announced(3, "10.1.0.2"));
    const { text } = world;
    for (let end = length; end < text.length - 1; end++) {
      writeFileSync(world.file, text.slice(0, end));
      assert.deepEqual(world.facts(), nothing, text.slice(length, end));
    }
    for (let end = 0; end < length - 1; end++) {
      writeFileSync(world.file, text.slice(0, end));
      assert.equal(world.facts(), undefined);
    }
    assert.deepEqual(world.warnings, []);
  });

  it("takes no line that makes no sense", (t) => {
    const world = CheckpointWorld.begun(t);
    world.apply(opening("created"));
    const nonsense = [
      "garbage",
      "",
      "[]",
      "null",
      '["closed"]',
      '["closed","1"]',
      '["opened",1,70000,80,true,false,true]',
      '["opened",1,40000,80,"perhaps",false,true]',
      '["opened",1,40000,80,true,false]',
      '["announced",1,256,"10.1.0.2",80]',
      '["announced",1,3,10,80]',
      '["announced",1,3,"10.1.0.2",-1]',
      '["announced",2,3,"10.1.0.2",80]',
      '["withdrawn",2,3]',
      '["something new",1]',
    ];
    writeFileSync(world.file, `${world.text}${nonsense.join("\n")}\n["announced",1,3,"10.1.0.2",80]\n`);
    const address = { id: 3, address: "10.1.0.2", port: 80 };
    assert.deepEqual(world.facts(), { ...nothing, announced: [address] });
  });

  it("takes nothing that it cannot read, says so, and goes on", (t) => {
    const world = new CheckpointWorld(t);
    mkdirSync(world.file, { recursive: true });
    assert.equal(world.facts(), undefined);
    assert.equal(world.warnings.length, 1);
    assert.match(world.warnings[0] ?? "", /connections cannot be used: .* is not a regular file/);
  });
});
