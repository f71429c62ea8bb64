import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { requestAdoption } from "../../../../src/control/endpoints/adoption.ts";
import { awaitLock, type LockAttempt } from "../../../../src/control/endpoints/daemon-lock.ts";
import { NamespaceLock, namespaceFile } from "../../../../src/control/endpoints/namespace.ts";
import { endpointFlags } from "../../../../src/kernel/mptcp-pm.ts";
import { VirtualClock } from "../../../../src/path-managers/simulation/clock.ts";

const namespace = { bootId: "boot", key: "1" };

describe("the lock of a namespace that somebody else has", () => {
  it("is taken when it is let go, and the log says who is waited for", async (t) => {
    const world = new World(t);
    const outcome = world.wait();
    await world.clock.advance(1000);
    world.let();
    await world.clock.advance(50);
    assert.ok((await outcome) instanceof NamespaceLock);
    assert.deepEqual(world.lines, [
      "the process with pid 42 has the lock of this network namespace; waiting for it to let go",
    ]);
  });

  it("is given up after 3 s, where its holder stays", async (t) => {
    const world = new World(t);
    const outcome = world.wait();
    await world.clock.advance(3100);
    assert.deepEqual(await outcome, { holder: 42 });
  });

  it("is not given up because the machine stood still for that long", async (t) => {
    const world = new World(t);
    const outcome = world.wait();
    await world.clock.advance(1000);
    world.clock.block(60_000);
    await world.clock.advance(1000);
    world.let();
    await world.clock.advance(50);
    assert.ok((await outcome) instanceof NamespaceLock);
  });

  it("is waited for 30 s where its holder is about to end", async (t) => {
    const world = new World(t);
    const outcome = world.wait();
    await world.clock.advance(2000);
    world.holder = { holder: 42, isEnding: true };
    await world.clock.advance(29_000);
    world.let();
    await world.clock.advance(50);
    assert.ok((await outcome) instanceof NamespaceLock);
  });

  it("is waited for anew when another one has it", async (t) => {
    const world = new World(t);
    const outcome = world.wait();
    for (const holder of [43, 44, 45]) {
      await world.clock.advance(2500);
      world.holder = { holder };
    }
    await world.clock.advance(3200);
    assert.deepEqual(await outcome, { holder: 45 });
  });

  it("is not waited for by one that is told to end", async (t) => {
    const world = new World(t);
    const outcome = assert.rejects(world.wait(), /enough/);
    world.abort.abort(new Error("enough"));
    await world.clock.advance(50);
    await outcome;
  });
});

describe("a holder that is about to end", () => {
  it("says so to those who wait", (t) => {
    const { directory } = new World(t);
    const lock = NamespaceLock.acquire(directory, namespace);
    assert.ok(lock instanceof NamespaceLock);
    assert.deepEqual(NamespaceLock.acquire(directory, namespace), { holder: process.pid });
    lock.announceRelease();
    assert.deepEqual(NamespaceLock.acquire(directory, namespace), { holder: process.pid, isEnding: true });
    lock.release();
  });
});

describe("an adoption that found the lock taken", () => {
  it("is done by itself when the holder lets go without it: it has ended, or was no mptcpd", (t) => {
    const { directory } = new World(t);
    const lock = NamespaceLock.acquire(directory, namespace);
    assert.ok(lock instanceof NamespaceLock);
    const endpoint = { id: 1, address: "10.0.0.1", port: 0, flags: endpointFlags.of("subflow"), ifIndex: 0 };
    const request = requestAdoption(directory, namespace, [endpoint]);
    assert.equal(request.isDone(), false);
    lock.release();
    assert.equal(request.isDone(), true);
    assert.match(readFileSync(namespaceFile(directory, namespace, "ledger.json"), "utf8"), /10\.0\.0\.1/);
    assert.equal(request.isDone(), true);
  });
});

class World {
  readonly clock = new VirtualClock();
  readonly abort = new AbortController();
  readonly lines: string[] = [];
  readonly directory = mkdtempSync(join(tmpdir(), "mptcpd-test-"));
  holder: LockAttempt | undefined = { holder: 42 };

  constructor(test: TestContext) {
    test.after(() => rmSync(this.directory, { recursive: true }));
  }

  wait(): Promise<LockAttempt> {
    const { clock, abort } = this;
    return awaitLock(this.directory, namespace, {
      log: { notice: (line) => this.lines.push(line) },
      acquire: () => this.holder ?? NamespaceLock.acquire(this.directory, namespace),
      ...{ clock, signal: abort.signal },
    });
  }

  let(): void {
    this.holder = undefined;
  }
}
