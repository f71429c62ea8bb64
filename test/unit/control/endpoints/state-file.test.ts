import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { createLogger, type Entry } from "../../../../src/base/log/log.ts";
import { Adoptions, requestAdoption } from "../../../../src/control/endpoints/adoption.ts";
import { DaemonLock } from "../../../../src/control/endpoints/daemon-lock.ts";
import { Ledger } from "../../../../src/control/endpoints/ledger.ts";
import { NamespaceLock } from "../../../../src/control/endpoints/namespace.ts";
import { StateFile, StateJournal } from "../../../../src/control/endpoints/state-file.ts";
import { lockHolder } from "../../../../src/kernel/file-lock.ts";
import { temporaryDirectory } from "../../temporary.ts";
import { endpointOf } from "../policy/world.ts";
import { FakeClock, World } from "./fakes.ts";

const namespace = { bootId: "this boot", key: "1" };

describe("a file of the runtime directory that cannot be written", () => {
  it("is a warning, once, and is written as soon as possible, as it should be by then", (t) => {
    const { file, clock, said, stateFile } = setUp(t);
    mkdirSync(file);
    stateFile.write("first");
    for (let second = 0; second < 600; second++) clock.advance(1000);
    stateFile.write("second");
    assert.equal(said().length, 1);
    assert.match(
      said()[0] ?? "",
      /^warning: cannot write .*file: EISDIR.*; nobody knows; trying again until it works$/,
    );
    rmdirSync(file);
    // At least every 30 s it tries.
    clock.advance(30_000);
    assert.equal(readFileSync(file, "utf8"), "second");
    assert.deepEqual(said().slice(1), [`notice: ${file} is up to date again`]);
  });

  it("is left alone again once it was written", (t) => {
    const { file, clock, stateFile } = setUp(t);
    mkdirSync(file);
    stateFile.write("first");
    rmdirSync(file);
    stateFile.write("second");
    writeFileSync(file, "somebody else's");
    clock.advance(60_000);
    assert.equal(readFileSync(file, "utf8"), "somebody else's");
  });

  it("is tried a last time at the end", (t) => {
    const { file, stateFile } = setUp(t);
    mkdirSync(file);
    stateFile.write("first");
    rmdirSync(file);
    stateFile.close();
    assert.equal(readFileSync(file, "utf8"), "first");
  });

  it("is a warning too when it cannot be removed", (t) => {
    const { file, said, stateFile } = setUp(t);
    stateFile.remove();
    assert.deepEqual(said(), [], "there was none");
    mkdirSync(file);
    stateFile.remove();
    assert.match(said()[0] ?? "", /^warning: cannot remove .*file/);
  });

  it("may have a directory in the place where it is prepared", (t) => {
    const { file, said, stateFile } = setUp(t);
    mkdirSync(`${file}.new`);
    stateFile.write("first");
    assert.match(said()[0] ?? "", /^warning: cannot write /);
  });
});

describe("the ledger, if it cannot be written", () => {
  it("keeps no endpoint back: mptcpd knows which are its own, and warns of what a crash would do", async (t) => {
    const world = new World(t);
    mkdirSync(join(world.directory, "netns-1.ledger.json"));
    world.startReconciler();
    await world.become({ eth0: { addresses: ["10.0.0.1"] } });
    await world.become({ eth0: { addresses: ["10.0.0.2"] } });
    assert.deepEqual(world.kernel.addresses, ["10.0.0.2"]);
    assert.match(world.said("warning"), /cannot write .*ledger\.json: EISDIR/);
    rmdirSync(join(world.directory, "netns-1.ledger.json"));
    await world.advance(30_000);
    assert.deepEqual(
      world.ledger().endpoints.map(({ address }) => address),
      ["10.0.0.2"],
    );
  });
});

describe("a request to adopt endpoints", () => {
  it("is refused with the reason if it cannot be written", (t) => {
    const directory = temporaryDirectory(t);
    mkdirSync(join(directory, "netns-1.ledger.json"));
    assert.throws(() => requestAdoption(directory, namespace, [endpointOf({ address: "10.0.0.1" })]), {
      code: "EISDIR",
    });
  });

  it("that cannot be read or removed is one warning, and holds up nothing", (t) => {
    const { directory, log, said } = setUp(t);
    const file = join(directory, "netns-1.adopt.json");
    const ledger = new Ledger({ directory, namespace, warn: assert.fail });
    const adoptions = new Adoptions({ directory, namespace, ledger, log });
    mkdirSync(file);
    for (let times = 0; times < 3; times++) adoptions.collect();
    assert.equal(said().length, 1);
    assert.match(
      said()[0] ?? "",
      /^warning: a request to adopt endpoints cannot be read: .*not a regular file: remove it; cannot remove/,
    );
    rmdirSync(file);
    adoptions.collect();
    assert.deepEqual(said().slice(1), ["notice: requests to adopt endpoints can be read again"]);
  });
});

describe("the lock, if it cannot be written", () => {
  it("is taken later: mptcpd goes on without it", async (t) => {
    const { directory, clock, log, said } = setUp(t);
    const file = join(directory, "netns-1.lock");
    mkdirSync(file);
    const lock = await DaemonLock.take({ directory, namespace, clock, log });
    assert.ok(lock instanceof DaemonLock);
    assert.match(
      said()[0] ?? "",
      /^warning: .*is not a regular file: remove it; .*do not start a second one; trying again until it works$/,
    );
    rmdirSync(file);
    clock.advance(30_000);
    assert.equal(lockHolder(file), process.pid);
    assert.ok(!(NamespaceLock.acquire(directory, namespace) instanceof NamespaceLock));
    lock.release();
  });
});

describe("a runtime directory that somebody has emptied", () => {
  it("has its lock again after the next look, and then keeps others out", async (t) => {
    const { directory, clock, log, said } = setUp(t);
    const retaken: string[] = [];
    const onRetaken = (): void => void retaken.push("retaken");
    const lock = await DaemonLock.take({ directory, namespace, clock, log, onRetaken });
    assert.ok(lock instanceof DaemonLock);
    for (const empty of [
      () => rmSync(join(directory, "netns-1.lock")),
      () => rmSync(directory, { recursive: true }),
      () => {
        rmSync(directory, { recursive: true });
        mkdirSync(directory, { mode: 0o755 });
        writeFileSync(join(directory, "netns-1.lock"), "somebody's");
      },
    ]) {
      lock.check();
      assert.ok(lock.isInForce);
      empty();
      assert.ok(!lock.isInForce);
      lock.check();
      assert.ok(lock.isInForce);
      assert.equal(lockHolder(join(directory, "netns-1.lock")), process.pid);
      assert.match(
        said().at(-1) ?? "",
        /^notice: the lock of this network namespace was gone from \S+: mptcpd has made it again/,
      );
    }
    assert.equal(said().length, 3);
    assert.equal(retaken.length, 3);
    lock.release();
  });

  it("belongs to another process that was faster, if that keeps the lock", async (t) => {
    const { directory, clock, log } = setUp(t);
    const lost: unknown[] = [];
    const lock = await DaemonLock.take({ directory, namespace, clock, log, onLost: (by) => lost.push(by) });
    assert.ok(lock instanceof DaemonLock);
    rmSync(join(directory, "netns-1.lock"));
    const other = NamespaceLock.acquire(directory, namespace);
    assert.ok(other instanceof NamespaceLock);
    lock.check();
    for (let times = 0; times < 100; times++) {
      assert.ok(!lock.isInForce);
      await advance(clock, 50);
    }
    assert.deepEqual(lost, [{ holder: process.pid }]);
    lock.release();
    assert.ok(!(NamespaceLock.acquire(directory, namespace) instanceof NamespaceLock), "it is the other's");
    other.release();
  });

  it("belongs to us again when another process had the lock for a moment", async (t) => {
    const { directory, clock, log } = setUp(t);
    const retaken: string[] = [];
    const options = { onRetaken: () => void retaken.push("retaken"), onLost: () => assert.fail() };
    const lock = await DaemonLock.take({ directory, namespace, clock, log, ...options });
    assert.ok(lock instanceof DaemonLock);
    rmSync(join(directory, "netns-1.lock"));
    const other = NamespaceLock.acquire(directory, namespace);
    assert.ok(other instanceof NamespaceLock);
    lock.check();
    await advance(clock, 500);
    other.release();
    for (let times = 0; times < 5; times++) await advance(clock, 50);
    assert.ok(lock.isInForce);
    assert.deepEqual(retaken, ["retaken"]);
    lock.release();
  });

  it("has its state files again, unless they are another process's by now", (t) => {
    const { file, clock, log } = setUp(t);
    let isOurs = true;
    const stateFile = new StateFile({ file, clock, log, consequence: "", isAllowed: () => isOurs });
    stateFile.write("first");
    rmSync(file);
    stateFile.restore();
    assert.equal(readFileSync(file, "utf8"), "first");
    isOurs = false;
    writeFileSync(file, "another's");
    stateFile.write("second");
    stateFile.close();
    assert.equal(readFileSync(file, "utf8"), "another's");
    stateFile.remove();
    stateFile.restore();
    assert.equal(readFileSync(file, "utf8"), "another's");
    isOurs = true;
    stateFile.write("third");
    assert.equal(readFileSync(file, "utf8"), "third");
  });

  it("gets lines of a journal in the file that is open, but no new file where the name is another's", (t) => {
    const { file, clock, log } = setUp(t);
    let isOurs = true;
    const journal = new StateJournal({
      ...{ file, clock, log, consequence: "", wholeText: () => "all\n", isAllowed: () => isOurs },
    });
    journal.append("first\n");
    isOurs = false;
    journal.append("second\n");
    assert.equal(readFileSync(file, "utf8"), "all\nsecond\n");
    rmSync(file);
    writeFileSync(file, "another's");
    journal.append("third\n");
    journal.rewrite();
    assert.equal(readFileSync(file, "utf8"), "another's");
    isOurs = true;
    journal.append("fourth\n");
    assert.equal(readFileSync(file, "utf8"), "all\n");
    journal.close();
  });

  it("has the ledger again, with what was read at the start, and what another process has added", (t) => {
    const directory = temporaryDirectory(t);
    const open = (): Ledger => new Ledger({ directory, namespace, warn: assert.fail });
    const addresses = (): string[] => open().endpoints.map(({ address }) => address);
    const file = join(directory, "netns-1.ledger.json");
    open().record(endpointOf({ address: "10.0.0.1" }));
    const ledger = open();
    rmSync(file);
    ledger.restore();
    assert.deepEqual(addresses(), ["10.0.0.1"]);
    rmSync(file);
    open().record(endpointOf({ address: "10.0.0.2", id: 7 }));
    ledger.absorb();
    assert.deepEqual(addresses(), ["10.0.0.1", "10.0.0.2"]);
  });

  it("gets no ledger that has nothing to say", (t) => {
    const directory = temporaryDirectory(t);
    const ledger = new Ledger({ directory, namespace, warn: assert.fail });
    ledger.restore();
    ledger.absorb();
    assert.deepEqual(readdirSync(directory), []);
  });
});

/** Lets what waits on the clock go on. */
async function advance(clock: FakeClock, milliseconds: number): Promise<void> {
  clock.advance(milliseconds);
  for (let times = 0; times < 10; times++) await Promise.resolve();
}

function setUp(t: TestContext) {
  const directory = temporaryDirectory(t);
  const file = join(directory, "file");
  const clock = new FakeClock();
  const entries: Entry[] = [];
  const log = createLogger({
    sink: { write: (entry) => entries.push(entry), close: () => undefined },
    debug: false,
  });
  const stateFile = new StateFile({ file, clock, log, consequence: "nobody knows" });
  const said = () => entries.map(({ level, message }) => `${level}: ${message}`);
  return { directory, file, clock, log, said, stateFile };
}
