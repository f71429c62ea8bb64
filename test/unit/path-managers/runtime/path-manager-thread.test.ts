import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { NamedPathManager } from "../../../../src/path-managers/runtime/messages.ts";
import { PathManagerThread } from "../../../../src/path-managers/runtime/path-manager-thread.ts";
import type {
  PathManagersRefusedError,
  ThreadFailure,
} from "../../../../src/path-managers/runtime/thread-failure.ts";
import { FakeThread, input, prepared } from "./fake-thread.ts";

/** Thirty seconds, and ten for the one source. */
const LOADING = 40_000;

describe("whoever waits for a thread of path managers", () => {
  it("hears when it has not loaded everything in time", async () => {
    const { thread, worker } = start();
    const outcome = assert.rejects(worker.prepare(), /the path managers' thread was not ready in 40 s/);
    await thread.clock.advance(LOADING + 3000);
    await outcome;
    assert.ok(thread.isTerminated);
  });

  it("does not take it for late because the machine was suspended meanwhile", async () => {
    const { thread, worker } = start();
    const outcome = worker.prepare();
    for (let night = 0; night < 3; night++) {
      await thread.clock.advance(1000);
      thread.clock.block(8 * 3_600_000);
    }
    await thread.clock.advance(1000);
    thread.say(prepared);
    assert.deepEqual(await outcome, prepared);
    await worker.stop();
  });

  it("waits as long as the kernel takes once everything is loaded", async () => {
    const { thread, worker } = start();
    const outcome = worker.prepare();
    thread.say({ kind: "loaded", pathManagers: prepared.pathManagers });
    await thread.clock.advance(100 * LOADING);
    thread.say(prepared);
    assert.deepEqual(await outcome, prepared);
    await worker.stop();
  });

  it("has the time to end counted while the machine runs, and ends it then", async () => {
    const { thread, worker } = start();
    const outcome = worker.prepare();
    thread.say(prepared);
    await outcome;
    thread.isDeaf = true;
    const stopped = worker.stop();
    await thread.clock.advance(1000);
    thread.clock.block(60_000);
    await thread.clock.advance(400);
    assert.equal(thread.isTerminated, false);
    await thread.clock.advance(1000);
    await stopped;
    assert.equal(thread.isTerminated, true);
  });

  it("does not wait longer for one that takes over than 5 s in which the machine ran", async () => {
    const { thread, worker } = start();
    let isOver = false;
    const outcome = worker.prepare();
    thread.say(prepared);
    await outcome;
    const taken = worker.takeOver().then(() => {
      isOver = true;
    });
    thread.clock.block(60_000);
    await thread.clock.advance(4000);
    assert.equal(isOver, false);
    await thread.clock.advance(1500);
    await taken;
    await worker.stop();
  });
});

describe("a message that a path manager's own code has posted", () => {
  it("ends the thread, with what is wrong with it, and whose code was at work", async () => {
    const { thread, worker, failures } = await ready();
    thread.enter(1, "newSubflow");
    thread.post({ kind: "log", level: "shout", message: "m", fields: {} });
    const [failure] = failures;
    assert.match(
      failure?.what ?? "",
      /^sent a wrong message \(log: level: Invalid type: .* but received "shout"\), in fullmesh \(newSubflow\)$/,
    );
    assert.equal(failure?.pathManager, "fullmesh");
    await thread.clock.advance(0);
    assert.ok(thread.isTerminated);
    assert.ok(worker.hasFailed);
  });

  it("is nobody's fault where nobody's code is at work, and counts once", async () => {
    const { thread, failures } = await ready();
    for (let time = 0; time < 3; time++) thread.post("words");
    const what = 'sent a wrong message (Invalid type: Expected Object but received "words")';
    assert.deepEqual(failures, [{ what, pathManager: undefined, loading: undefined }]);
  });

  it("is the fault of a file that is being loaded", async () => {
    const { thread, worker } = start();
    const outcome = assert.rejects(
      worker.prepare(),
      ({ failure }: PathManagersRefusedError) => failure?.loading === input.sources[0],
    );
    thread.load(1);
    thread.post(undefined);
    await outcome;
  });

  it("does no harm to a thread that ends in any case", async () => {
    const { thread, worker, failures } = await ready();
    const stopped = worker.stop();
    thread.post("words");
    await thread.clock.advance(100);
    await stopped;
    assert.deepEqual(failures, []);
  });
});

describe("a thread that does not beat", () => {
  it("was blocked by who was at work, and is ended", async () => {
    const { thread, failures } = await ready();
    thread.enter(1, "newSubflow");
    thread.isBlocked = true;
    await thread.clock.advance(1900);
    assert.deepEqual(failures, []);
    await thread.clock.advance(1200);
    const what = "was blocked for 2 s by fullmesh (newSubflow)";
    assert.deepEqual(failures, [{ what, pathManager: "fullmesh", loading: undefined }]);
    assert.ok(thread.isTerminated);
  });

  it("has ten seconds while it loads, and then the file is to blame", async () => {
    const { thread, worker } = start();
    const outcome = assert.rejects(
      worker.prepare(),
      ({ lines, failure }: PathManagersRefusedError) =>
        lines[0] === "the path managers' thread was blocked for 10 s by fullmesh (loading)" &&
        failure?.pathManager === undefined &&
        failure?.loading === input.sources[0],
    );
    thread.load(1);
    thread.isBlocked = true;
    await thread.clock.advance(9400);
    assert.equal(thread.isTerminated, false);
    await thread.clock.advance(1600);
    await outcome;
  });

  it("is not taken for blocked after a night in which the machine was suspended", async () => {
    const { thread, worker, failures } = await ready();
    for (let night = 0; night < 5; night++) {
      await thread.clock.advance(1000);
      // This thread is the first to get a processor again.
      thread.isBlocked = true;
      await thread.clock.advance(500);
      thread.clock.block(8 * 3_600_000);
      await thread.clock.advance(600);
      thread.isBlocked = false;
    }
    await thread.clock.advance(60_000);
    assert.deepEqual(failures, []);
    assert.equal(worker.hasFailed, false);
    await worker.stop();
  });
});

describe("a thread that ends", () => {
  it("is the fault of who was at work", async () => {
    const { thread, failures } = await ready();
    thread.enter(1, "timer");
    thread.exit(3);
    const what = "ended with status 3, in fullmesh (timer)";
    assert.deepEqual(failures, [{ what, pathManager: "fullmesh", loading: undefined }]);
  });

  it("or else of whose file the error is from", async () => {
    const { thread, failures } = await ready([{ name: "one", file: "/plugins/one.js" }]);
    const error = new TypeError("late");
    error.stack = "TypeError: late\n    at Timeout (file:///plugins/one.js:1:2)";
    thread.throw(error);
    assert.equal(failures[0]?.pathManager, "one");
    assert.match(failures[0]?.what ?? "", /^ended with TypeError: late \(at .*one\.js:1:2\)+$/);
  });
});

async function ready(pathManagers: readonly NamedPathManager[] = prepared.pathManagers) {
  const started = start();
  const outcome = started.worker.prepare();
  started.thread.say({ ...prepared, pathManagers });
  await outcome;
  return started;
}

function start() {
  const thread = new FakeThread();
  const failures: ThreadFailure[] = [];
  const events = {
    message: () => undefined,
    failed: (failure: ThreadFailure) => void failures.push(failure),
  };
  return { thread, failures, worker: new PathManagerThread(input, events, thread) };
}
