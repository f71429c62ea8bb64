import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { describe, it, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { announced, closed, initialOutline, ofSubflow, opening, outline, removed } from "./builders.ts";
import { TrackerWorld } from "./tracker-world.ts";

const RETRY = 100;

/** A world in which one tracker has left what it knew, and another one has not begun. */
async function left(t: TestContext) {
  const world = await TrackerWorld.running(t);
  world.events.emit(opening("established", { denyJoinId0: true }), announced(3, "10.1.0.2"));
  world.sockets.outlines = [outline()];
  world.tracker.close();
  const told: string[] = [];
  const next = world.another(told);
  return { world, next, told };
}

const known = ["newConnection 1", "connectionEstablished 1", "newAddress 1: 3 10.1.0.2:80"];

describe("before a tracker takes over", () => {
  it("it tells nothing and reads nothing, whatever happens", async (t) => {
    const world = new TrackerWorld(t);
    world.events.emit(opening("created"), closed(2));
    world.events.emit({ event: "listenerCreated", family: 2, localAddress: "0.0.0.0", localPort: 80 });
    world.events.overrun();
    world.events.error(new Error("no sense"));
    world.tracker.resync();
    await world.advance(60_000);
    assert.deepEqual([world.told, world.listenerEvents, world.sockets.dumps], [[], [], 0]);
    assert.equal(world.clock.waiting, 0);
  });
});

describe("a tracker that takes over", () => {
  it("tells what happened since it was made, then what it finds, and is then done", async (t) => {
    const world = new TrackerWorld(t);
    const listener = { family: 2, localAddress: "0.0.0.0", localPort: 80 };
    world.events.emit(
      opening("created"),
      { event: "listenerCreated", ...listener },
      announced(3, "10.1.0.2"),
    );
    world.sockets.outlines = [outline(), outline({ token: 2 })];
    await world.tracker.takeOver();
    assert.deepEqual(world.told, [
      "newConnection 1",
      "newAddress 1: 3 10.1.0.2:80",
      "connectionEstablished 1",
      "newConnection 2",
      "connectionEstablished 2",
    ]);
    assert.deepEqual(world.listenerEvents, ["listenerCreated 80"]);
  });

  it("knows what the one before has left, and what happened to that since", async (t) => {
    const { world, next, told } = await left(t);
    world.events.emit(announced(4, "10.1.0.3"), removed(3));
    await next.takeOver(true);
    assert.deepEqual(told, [...known, "newAddress 1: 4 10.1.0.3:80", "addressRemoved 1: 3 10.1.0.2:80"]);
    const connection = next.table.get(1);
    assert.deepEqual([connection?.denyJoinId0, connection?.announcedIsComplete], [true, true]);
    assert.equal(world.events.size, 1);
  });

  it("does not take for all what may not be: after a gap, or where events of that time were lost", async (t) => {
    for (const isOverrun of [true, false]) {
      const { world, next, told } = await left(t);
      if (isOverrun) world.events.overrun();
      await next.takeOver(isOverrun);
      assert.deepEqual(told, known);
      assert.equal(next.table.get(1)?.announcedIsComplete, false);
    }
  });

  it("misses nothing, whenever the one before ends", async (t) => {
    const world = await TrackerWorld.running(t);
    const told: string[] = [];
    const next = world.another(told);
    world.events.emit(opening("established"), announced(3, "10.1.0.2"));
    world.sockets.outlines = [outline()];
    world.tracker.close();
    world.events.emit(announced(4, "10.1.0.3"));
    await next.takeOver();
    assert.deepEqual(told, [...known, "newAddress 1: 4 10.1.0.3:80"]);
    assert.deepEqual(world.told, known);
  });

  it("remembers from then on for who comes next", async (t) => {
    const { world, next } = await left(t);
    await next.takeOver();
    const { ino } = statSync(world.file);
    next.resync();
    world.clock.advance(0);
    await next.settled();
    assert.equal(statSync(world.file).ino, ino, "begun once");
    world.events.emit(announced(4, "10.1.0.3"));
    next.close();
    const told: string[] = [];
    const third = world.another(told);
    await third.takeOver();
    assert.deepEqual(told, [...known, "newAddress 1: 4 10.1.0.3:80"]);
  });

  it("goes on until a reading works: only then is what was left no longer needed", async (t) => {
    const { world, next, told } = await left(t);
    const { text } = world;
    world.sockets.onDump = () => Promise.reject(new Error("no list"));
    let isOver = false;
    const over = next.takeOver(true).then(() => {
      isOver = true;
    });
    await next.settled();
    assert.deepEqual([isOver, told, world.text], [false, [], text]);
    world.sockets.onDump = () => undefined;
    world.clock.advance(RETRY);
    await over;
    assert.deepEqual(told, known);
    assert.ok(next.table.get(1)?.announcedIsComplete);
  });

  it("reads once, whatever happened before", async (t) => {
    for (const isOverrun of [false, true]) {
      const world = new TrackerWorld(t);
      world.events.emit(announced(3, "10.1.0.2"));
      if (isOverrun) world.events.overrun();
      world.sockets.outlines = [outline()];
      const release = world.hold();
      const over = world.tracker.takeOver();
      world.clock.advance(RETRY);
      assert.equal(world.sockets.dumps, 1, "one at a time");
      world.events.emit(opening("established"), ofSubflow("subflowEstablished"));
      world.clock.advance(RETRY);
      release();
      await over;
      assert.equal(world.sockets.dumps, 1);
      assert.equal(world.lines().length, 3, "and what happened meanwhile is not undone");
    }
  });
});

describe("a tracker that ends", () => {
  it("hears and reads nothing more, and has remembered everything", async (t) => {
    const { world, next } = await left(t);
    await next.takeOver();
    world.events.emit(announced(4, "10.1.0.3"));
    next.close();
    assert.match(world.text, /10\.1\.0\.3/);
    const { text } = world;
    const { dumps } = world.sockets;
    world.events.emit(announced(5, "10.1.0.4"));
    next.resync();
    world.clock.advance(60_000);
    await turn();
    assert.deepEqual([world.events.size, world.clock.waiting, world.sockets.dumps], [0, 0, dumps]);
    assert.equal(world.text, text);
  });

  it("during a reading tells and writes nothing more of it", async (t) => {
    const world = await TrackerWorld.running(t);
    const { text } = world;
    for (const outcome of [() => undefined, () => Promise.reject(new Error("closed"))]) {
      world.sockets.outlines = [outline({ token: 2 })];
      const release = world.hold();
      world.tracker.resync();
      world.clock.advance(0);
      world.events.emit(announced(3, "10.1.0.2"));
      world.tracker.close();
      release();
      world.sockets.onDump = outcome;
      await world.tracker.settled();
    }
    await turn();
    assert.deepEqual([world.told, world.warnings, world.text], [[], [], text]);
    assert.equal(world.clock.waiting, 0);
  });

  it("while it takes over leaves what was left as it was, and keeps nobody waiting", async (t) => {
    for (const isEarly of [true, false]) {
      const { world, next, told } = await left(t);
      const { text } = world;
      world.sockets.outlines = Array.from({ length: 20 }, (_, index) => outline({ token: 1 + index }));
      const release = world.hold();
      const over = next.takeOver();
      world.onChange = () => next.close();
      if (isEarly) next.close();
      release();
      await over;
      await next.settled();
      await turn();
      assert.equal(world.text, text);
      assert.ok(told.length <= 3, "not all of them");
      world.onChange = () => undefined;
      const third = world.another(told);
      told.length = 0;
      await third.takeOver();
      assert.deepEqual(told.slice(0, 3), known);
    }
  });

  it("before it takes over leaves that to others", async (t) => {
    const { world, next, told } = await left(t);
    next.close();
    await next.takeOver();
    assert.deepEqual([told, world.sockets.dumps], [[], 0]);
  });

  it("does not keep readings from failing quietly", async (t) => {
    const world = await TrackerWorld.running(t, outline({ subflows: [initialOutline()] }));
    world.sockets.onDump = () => {
      world.tracker.close();
      throw new Error("closed");
    };
    await world.read();
    assert.deepEqual(world.warnings, []);
    assert.equal(world.clock.waiting, 0);
  });
});
