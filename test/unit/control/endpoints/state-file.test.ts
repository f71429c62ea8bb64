import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { createLogger, type Entry } from "../../../../src/base/log/log.ts";
import { Adoptions, requestAdoption } from "../../../../src/control/endpoints/adoption.ts";
import { DaemonLock } from "../../../../src/control/endpoints/daemon-lock.ts";
import { Ledger } from "../../../../src/control/endpoints/ledger.ts";
import { NamespaceLock } from "../../../../src/control/endpoints/namespace.ts";
import { StateFile } from "../../../../src/control/endpoints/state-file.ts";
import { lockHolder } from "../../../../src/kernel/lock-holder.ts";
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
      /^warning: .*is not a regular file: remove it; .*start no second one; trying again until it works$/,
    );
    rmdirSync(file);
    clock.advance(30_000);
    assert.equal(lockHolder(file), process.pid);
    assert.ok(!(NamespaceLock.acquire(directory, namespace) instanceof NamespaceLock));
    lock.release();
  });
});

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
