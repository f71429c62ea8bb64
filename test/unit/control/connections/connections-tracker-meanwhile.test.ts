import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  announced,
  closed,
  initialEnds,
  initialOutline,
  ofSubflow,
  opening,
  outline,
  subflowOutline,
} from "./builders.ts";
import { PERIOD, TrackerWorld } from "./tracker-world.ts";

const RETRY = 100;

describe("what happens during a reading", () => {
  it("is newer than what is read", async (t) => {
    const world = await TrackerWorld.running(t, outline(), outline({ token: 2 }));
    world.events.emit(ofSubflow("subflowEstablished", { token: 2 }));
    world.told.length = 0;
    for (let time = 0; time < 3; time++) {
      // What the list has is of before.
      const release = world.hold();
      world.tracker.resync();
      world.clock.advance(0);
      world.events.emit(
        ...[opening("established", { token: 3 + time }), ofSubflow("subflowEstablished")],
        ofSubflow("subflowPriority", { ...initialEnds, backup: time !== 1 }),
        ...(time === 0 ? [closed(2)] : []),
      );
      world.sockets.outlines = [outline()];
      release();
      await world.tracker.settled();
    }
    assert.deepEqual(
      world.told.filter((line) => / [12]/.test(line)),
      [
        "newSubflow 1: 10.0.0.2:50000 > 10.1.0.1:80",
        "subflowPriority 1: 10.0.0.1:40000 > 10.1.0.1:80 backup",
        "connectionClosed 2",
        "subflowPriority 1: 10.0.0.1:40000 > 10.1.0.1:80",
        "subflowPriority 1: 10.0.0.1:40000 > 10.1.0.1:80 backup",
      ],
    );
    assert.equal(world.connection(5)?.state, "established");
  });

  it("is nothing that is missing from it", async (t) => {
    const world = await TrackerWorld.running(t);
    const release = world.hold();
    world.tracker.resync();
    world.clock.advance(0);
    world.events.emit(opening("created"), ofSubflow("subflowEstablished"));
    release();
    await world.tracker.settled();
    await world.advance(PERIOD - 1);
    assert.equal(world.sockets.dumps, 1);
  });

  it("keeps that from mending a connection of which events were lost; the next one does", async (t) => {
    for (const isOverrun of [true, false]) {
      const world = await TrackerWorld.running(t, outline());
      world.sockets.outlines = [outline({ subflows: [initialOutline(), subflowOutline()] })];
      if (isOverrun) world.events.overrun();
      else world.events.error(new Error("no sense"));
      for (const port of [80, 81]) {
        const release = world.hold();
        world.clock.advance(port === 80 ? 0 : RETRY);
        world.events.emit(announced(3, "10.1.0.2", port));
        release();
        await world.tracker.settled();
      }
      assert.equal(world.lines().length, 3);
      await world.advance(RETRY);
      assert.equal(world.told.at(-1), "newSubflow 1: 10.0.0.2:50000 > 10.1.0.1:80");
      assert.equal(world.sockets.dumps, 3);
      // Nothing is lost any more, so what changes now needs no mending.
      const release = world.hold();
      world.clock.advance(PERIOD);
      world.events.emit(announced(3, "10.1.0.2", 82));
      release();
      await world.tracker.settled();
      await world.advance(PERIOD - 1);
      assert.equal(world.sockets.dumps, 4);
    }
  });

  it("to a connection does not save what was missing from it before", async (t) => {
    const world = await TrackerWorld.running(t, outline());
    world.events.emit(ofSubflow("subflowEstablished"));
    await world.read();
    const release = world.hold();
    world.clock.advance(RETRY);
    world.events.emit(announced(3, "10.1.0.2"));
    release();
    await world.tracker.settled();
    assert.equal(world.lines().length, 4);
    await world.advance(RETRY);
    assert.equal(world.told.at(-1), "subflowClosed 1: 10.0.0.2:50000 > 10.1.0.1:80");
  });

  it("does not make good what was lost if that fails", async (t) => {
    const world = await TrackerWorld.running(t, outline());
    world.sockets.onDump = () => Promise.reject(new Error("no list"));
    world.events.overrun();
    await world.advance(0);
    const release = world.hold();
    world.clock.advance(RETRY);
    world.events.emit(announced(3, "10.1.0.2"));
    release();
    await world.tracker.settled();
    world.sockets.dumps = 0;
    await world.advance(RETRY);
    assert.equal(world.sockets.dumps, 1);
  });

  it("to a connection that it finds is told after that", async (t) => {
    const world = await TrackerWorld.running(t);
    world.sockets.outlines = [outline()];
    const release = world.hold();
    world.tracker.resync();
    world.clock.advance(0);
    world.events.emit(announced(3, "10.1.0.2"), closed());
    release();
    await world.tracker.settled();
    assert.deepEqual(world.told, [
      "newConnection 1",
      "connectionEstablished 1",
      "newAddress 1: 3 10.1.0.2:80",
      "connectionClosed 1",
    ]);
  });

  it("to a connection that only the next one finds is told after that", async (t) => {
    const world = await TrackerWorld.running(t);
    const release = world.hold();
    world.tracker.resync();
    world.clock.advance(0);
    world.sockets.outlines = [outline()];
    world.events.emit(announced(3, "10.1.0.2"));
    release();
    await world.tracker.settled();
    assert.deepEqual(world.told, []);
    await world.advance(RETRY);
    assert.deepEqual(world.told, [
      "newConnection 1",
      "connectionEstablished 1",
      "newAddress 1: 3 10.1.0.2:80",
    ]);
  });

  it("is told in its order, also while the reading lets others have their turn", async (t) => {
    const world = await TrackerWorld.running(t);
    world.sockets.outlines = [outline(), outline({ token: 2 })];
    world.events.emit(announced(3, "10.1.0.2"));
    world.onChange = ({ type }) => {
      if (type !== "newConnection") return;
      setImmediate(() => world.events.emit({ event: "removed", token: 1, remoteId: 3 }));
      // Longer than a reading goes on without letting others have their turn.
      world.clock.block(10);
    };
    await world.advance(RETRY);
    assert.deepEqual(
      world.told.filter((line) => /address/i.test(line)),
      ["newAddress 1: 3 10.1.0.2:80", "addressRemoved 1: 3 10.1.0.2:80", "addressRemoved 1: 3"],
    );
    assert.deepEqual(world.connection()?.announced, []);
  });
});
