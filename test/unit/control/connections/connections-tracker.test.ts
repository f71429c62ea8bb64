import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { MptcpEvent } from "../../../../src/kernel/mptcp-pm.ts";
import { announced, closed, initialEnds, ofSubflow, opening, outline } from "./builders.ts";
import { IDLE_PERIOD, PERIOD, TrackerWorld } from "./tracker-world.ts";

const RETRY = 100;

describe("a tracker, of events,", () => {
  it("tells what they say, without reading", async (t) => {
    const world = await TrackerWorld.running(t);
    world.events.emit(
      opening("created"),
      ofSubflow("subflowEstablished"),
      announced(3, "10.1.0.2"),
      closed(),
    );
    assert.deepEqual(world.told, [
      "newConnection 1",
      "newSubflow 1: 10.0.0.2:50000 > 10.1.0.1:80",
      "newAddress 1: 3 10.1.0.2:80",
      "connectionClosed 1",
    ]);
    assert.equal(world.sockets.dumps, 0);
  });

  it("passes on those of listeners, and takes no notice of those that are newer than it", async (t) => {
    const world = await TrackerWorld.running(t);
    const listener = { family: 2, localAddress: "0.0.0.0", localPort: 80 };
    const events: MptcpEvent[] = [
      { event: "listenerCreated", ...listener },
      { event: "unknown", number: 77 },
      { event: "listenerClosed", ...listener },
    ];
    world.events.emit(...events);
    await world.advance(RETRY);
    assert.deepEqual(world.listenerEvents, ["listenerCreated 80", "listenerClosed 80"]);
    assert.deepEqual([world.told, world.sockets.dumps], [[], 0]);
  });

  it("reads when some were lost, and says so", async (t) => {
    const world = await TrackerWorld.running(t);
    world.sockets.outlines = [outline()];
    world.events.overrun();
    await world.advance(0);
    assert.deepEqual(world.told, ["newConnection 1", "connectionEstablished 1"]);
    assert.match(world.warnings[0] ?? "", /the kernel dropped events/);
  });

  it("reads when one made no sense, and says which", async (t) => {
    const world = await TrackerWorld.running(t);
    world.sockets.outlines = [outline()];
    world.events.error(new Error("attribute family: is missing"));
    await world.advance(0);
    assert.deepEqual(world.told, ["newConnection 1", "connectionEstablished 1"]);
    assert.deepEqual(world.warnings, ["event of a connection: attribute family: is missing"]);
  });

  it("reads soon after one of a connection that it does not know, and tells it then", async (t) => {
    const world = await TrackerWorld.running(t);
    world.sockets.outlines = [outline()];
    world.events.emit(announced(3, "10.1.0.2"), announced(4, "10.1.0.3"));
    await world.advance(RETRY - 1);
    assert.deepEqual([world.told, world.sockets.dumps], [[], 0]);
    await world.advance(1);
    assert.deepEqual(world.told, [
      "newConnection 1",
      "connectionEstablished 1",
      "newAddress 1: 3 10.1.0.2:80",
      "newAddress 1: 4 10.1.0.3:80",
    ]);
    assert.equal(world.sockets.dumps, 1);
  });

  it("reads once more where it has told one after others were lost, perhaps newer ones", async (t) => {
    const world = await TrackerWorld.running(t);
    world.sockets.outlines = [outline()];
    world.events.emit(ofSubflow("subflowPriority", { ...initialEnds, backup: true }));
    world.events.overrun();
    await world.advance(0);
    assert.match(world.told.at(-1) ?? "", /^subflowPriority .* backup$/);
    await world.advance(RETRY);
    assert.equal(world.told.at(-1), "subflowPriority 1: 10.0.0.1:40000 > 10.1.0.1:80");
    await world.advance(PERIOD - 1);
    assert.equal(world.sockets.dumps, 2);
  });

  it("forgets those of connections that are not there, and does not go on to read", async (t) => {
    const world = await TrackerWorld.running(t);
    world.events.emit(announced(3, "10.1.0.2"));
    await world.advance(RETRY);
    assert.equal(world.sockets.dumps, 1);
    await world.advance(IDLE_PERIOD - 1);
    assert.equal(world.sockets.dumps, 1);
    world.sockets.outlines = [outline()];
    await world.read();
    assert.deepEqual(world.told, ["newConnection 1", "connectionEstablished 1"]);
  });

  it("forgets those that came before a connection began", async (t) => {
    const world = await TrackerWorld.running(t);
    world.events.emit(announced(3, "10.1.0.2"), opening("created"));
    world.sockets.outlines = [outline()];
    await world.advance(RETRY);
    assert.deepEqual(world.told, ["newConnection 1", "connectionEstablished 1"]);
  });

  it("remembers only so many of connections that it does not know", async (t) => {
    const world = await TrackerWorld.running(t);
    world.sockets.outlines = [outline()];
    const event = ofSubflow("subflowPriority");
    for (let count = 0; count < 100_000; count++) world.events.emit(event);
    world.events.emit(announced(3, "10.1.0.2"));
    await world.advance(RETRY);
    assert.deepEqual(world.told, ["newConnection 1", "connectionEstablished 1"]);
    world.told.length = 0;
    // And has room again.
    world.sockets.outlines = [outline(), outline({ token: 2 })];
    world.events.emit(announced(3, "10.1.0.2", 80, 2));
    await world.advance(RETRY);
    assert.deepEqual(world.told, [
      "newConnection 2",
      "connectionEstablished 2",
      "newAddress 2: 3 10.1.0.2:80",
    ]);
  });
});

describe("a tracker reads", () => {
  it("from time to time, as some things happen without an event", async (t) => {
    const world = await TrackerWorld.running(t, outline());
    for (let reading = 1; reading <= 3; reading++) {
      await world.advance(PERIOD - 1);
      assert.equal(world.sockets.dumps, reading - 1);
      await world.advance(1);
      assert.equal(world.sockets.dumps, reading);
    }
    assert.deepEqual([world.told, world.warnings], [[], []]);
  });

  it("less often when that takes long", async (t) => {
    const world = await TrackerWorld.running(t);
    const release = world.hold();
    world.tracker.resync();
    world.clock.advance(0);
    world.clock.advance(1000);
    release();
    await world.tracker.settled();
    await world.advance(49_999);
    assert.equal(world.sockets.dumps, 1);
    await world.advance(1);
    assert.equal(world.sockets.dumps, 2);
    await world.advance(IDLE_PERIOD);
    assert.equal(world.sockets.dumps, 3);
  });

  it("at once when it is told to, and once more for all that is wanted meanwhile", async (t) => {
    const world = await TrackerWorld.running(t);
    const release = world.hold();
    world.tracker.resync();
    world.clock.advance(0);
    for (let time = 0; time < 3; time++) world.tracker.resync();
    world.events.overrun();
    world.clock.advance(IDLE_PERIOD);
    assert.equal(world.sockets.dumps, 1, "one at a time");
    release();
    await world.tracker.settled();
    await world.advance(0);
    assert.equal(world.sockets.dumps, 2);
    await world.advance(IDLE_PERIOD - 1);
    assert.equal(world.sockets.dumps, 2);
  });

  it("again when that failed, soon, and says so once", async (t) => {
    const world = await TrackerWorld.running(t);
    world.sockets.outlines = [outline()];
    world.sockets.onDump = () => Promise.reject(new Error("no list"));
    world.events.emit(announced(3, "10.1.0.2"));
    for (const [index, wait] of [RETRY, RETRY, 2 * RETRY, 4 * RETRY].entries()) {
      await world.advance(wait - 1);
      assert.equal(world.sockets.dumps, index);
      await world.advance(1);
      assert.equal(world.sockets.dumps, index + 1);
    }
    assert.deepEqual(world.warnings, ["no list; trying again"]);
    world.sockets.onDump = () => undefined;
    await world.advance(8 * RETRY);
    assert.deepEqual(world.told, [
      "newConnection 1",
      "connectionEstablished 1",
      "newAddress 1: 3 10.1.0.2:80",
    ]);
    world.sockets.onDump = () => Promise.reject(new Error("no list"));
    await world.read();
    assert.equal(world.warnings.length, 2, "another time");
  });

  it("again when something was missing, soon, as it may be there all the same", async (t) => {
    const world = await TrackerWorld.running(t, outline());
    world.events.emit(ofSubflow("subflowEstablished"));
    world.told.length = 0;
    await world.read();
    assert.deepEqual(world.told, []);
    await world.advance(RETRY);
    assert.deepEqual(world.told, ["subflowClosed 1: 10.0.0.2:50000 > 10.1.0.1:80"]);
    world.sockets.outlines = [];
    await world.read();
    await world.advance(RETRY - 1);
    assert.equal(world.told.length, 1);
    await world.advance(1);
    assert.equal(world.told.at(-1), "connectionClosed 1");
    world.sockets.dumps = 0;
    await world.advance(PERIOD - 1);
    assert.equal(world.sockets.dumps, 0);
  });
});
