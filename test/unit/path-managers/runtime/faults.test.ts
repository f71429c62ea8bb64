import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { definePathManager, type PathManager } from "../../../../src/path-managers/runtime/api.ts";
import { config, HostBench, recorder } from "./fakes.ts";

const boom = (): never => {
  throw new Error("boom");
};

const throwing = (error: unknown): never => {
  throw error;
};

const unreadable = () =>
  Object.defineProperties(new Error("boom"), { stack: { get: boom }, message: { get: boom } });

const touchy = { get: boom, has: boom, getPrototypeOf: boom };

/** As a library may have them. */
function thenable(then: (resolve: () => void, reject: (error: unknown) => void) => unknown) {
  return { then };
}

/** Fails at every connection. */
const failing = (name = "failing") =>
  definePathManager({ name, setup: () => ({ connectionEstablished: boom }) });

describe("a fault", () => {
  it("is counted and told with its place, and does not keep others from being told", async () => {
    const other = recorder({ name: "other" });
    const inCharge = ["failing", "other"];
    const bench = await new HostBench([failing(), other.definition], { inCharge }).start();
    bench.connect();
    await bench.settle();
    assert.deepEqual(bench.faults, ["failing 1"]);
    const [line = ""] = bench.lines;
    assert.match(
      line,
      /^error: failing: connectionEstablished failed: Error: boom \(at .*faults\.test.*\); fault 1 of 3$/,
    );
    assert.equal(other.events.at(-1), "connectionEstablished");
  });

  const ways: readonly [string, (pm: PathManager) => unknown][] = [
    ["throws", boom],
    ["rejects", async () => boom()],
    ["rejects later", (pm) => pm.sleep(10).then(boom)],
    ["throws in a timer", (pm) => void pm.after(10, boom)],
    ["rejects in a timer", (pm) => void pm.after(10, async () => boom())],
    ["throws in what is called again and again", (pm) => void pm.every(60, boom)],
    ["waits for no time at all", (pm) => pm.sleep(Number.NaN)],
    ["throws what is no error", () => Promise.reject({ toString: undefined })],
    ["rejects as a promise of another make", () => thenable((_, reject) => reject(new Error("boom")))],
    ["throws as a promise of another make", () => thenable(boom)],
    ["throws an error that cannot be read", () => throwing(unreadable())],
    ["rejects with an error that cannot be read", () => Promise.reject(unreadable())],
    ["throws what throws at each touch", () => throwing(new Proxy(new Error("boom"), touchy))],
    ["gives what throws at each touch", () => new Proxy({}, touchy)],
  ];
  for (const [what, handler] of ways)
    it(`is whatever ${what}`, async () => {
      const { definition } = recorder();
      const setup = (pm: PathManager) => ({ connectionEstablished: () => handler(pm) });
      const bench = await new HostBench([definePathManager({ ...definition, setup })]).start();
      bench.connect();
      await bench.settle();
      assert.deepEqual(bench.faults, ["recorder 1"]);
    });

  it("is not what a command rejects with", async () => {
    const setup = (pm: PathManager) => ({
      connectionEstablished: () => {
        const [connection = assert.fail()] = pm.connections;
        return Promise.all([
          pm.createSubflow(connection, { from: "10.0.7.7" }),
          pm.endpoints.remove(7),
          pm.withdraw(connection, "10.0.2.2"),
        ]);
      },
    });
    const bench = await new HostBench([definePathManager({ name: "asks", setup })]).start();
    bench.connect();
    await bench.settle();
    assert.deepEqual(bench.faults, []);
    const [line = "", ...more] = bench.lines;
    assert.match(line, /^warning: asks: connectionEstablished: cannot .*/);
    assert.deepEqual(more, []);
  });

  it("is a wish for endpoints that makes no sense, and then none are known", async () => {
    const asked = definePathManager({
      name: "asked",
      endpoints: ({ addresses }) =>
        addresses.map((address) => ({ address, flags: ["signal", "fullmesh"] as const })),
    });
    const bench = await new HostBench([asked]).start();
    assert.equal(bench.runtime.host.wantedEndpoints(bench.network.network, config), undefined);
    assert.deepEqual(bench.faults, ["asked 1"]);
  });

  it("is not what comes after its end", async () => {
    const setup = (pm: PathManager) => ({ connectionEstablished: () => pm.sleep(10) });
    const bench = await new HostBench([definePathManager({ name: "sleeps", setup })]).start();
    bench.connect();
    await bench.settle(5);
    bench.runtime.host.stop();
    await bench.settle();
    assert.deepEqual([bench.faults, bench.lines], [[], []]);
  });
});

describe("a path manager with too many faults", () => {
  it("is stopped, and the next one takes over the connections with their history", async () => {
    const heir = recorder({ name: "heir" });
    const bench = await new HostBench([failing(), heir.definition]).start();
    const peer = bench.connect();
    peer.announce(4, "10.0.9.10");
    peer.join({ from: "10.0.9.10", to: "10.0.2.2" });
    bench.connect();
    await bench.settle();
    assert.deepEqual(heir.events.slice(5), []);
    bench.connect();
    await bench.settle();
    assert.deepEqual(bench.faults, ["failing 1", "failing 2", "failing 3"]);
    assert.deepEqual(heir.events.slice(5), [
      ...["newConnection", "connectionEstablished", "newAddress", "newSubflow"],
      ...["newConnection", "connectionEstablished", "newConnection", "connectionEstablished"],
    ]);
    assert.equal(bench.lines.at(-1), "error: failing: stopped after too many faults");
    assert.deepEqual(bench.charges.at(-1)?.connections, ["heir"]);
    heir.told.length = 0;
    peer.close();
    await bench.settle();
    assert.deepEqual(heir.events, ["connectionClosed"]);
  });

  it("is stopped once, though it goes on to fail", async () => {
    const bench = await new HostBench([failing()]).start();
    for (let i = 0; i < 5; i++) bench.connect();
    await bench.settle();
    assert.deepEqual(bench.faults, ["failing 1", "failing 2", "failing 3"]);
    assert.deepEqual(bench.charges.at(-1), { connections: [], needs: "any", endpoints: undefined });
  });

  it("leaves the others of path-manager in charge; only where none is left, the next by priority", async () => {
    const [b, c] = [recorder({ name: "b" }), recorder({ name: "c" })];
    const inCharge = ["failing", "b"];
    const bench = await new HostBench([c.definition, failing(), b.definition], { inCharge }).start();
    for (let i = 0; i < 3; i++) bench.connect();
    await bench.settle();
    assert.deepEqual(bench.charges.at(-1)?.connections, ["b"]);
    assert.equal(b.events.slice(5).length, 6, "who was in charge is told nothing twice");
    assert.deepEqual(c.events.slice(5), []);
  });

  it("hands on from heir to heir, if those fail as well", async () => {
    const last = recorder({ name: "last" });
    const definitions = [failing("a"), failing("b"), last.definition];
    const bench = await new HostBench(definitions, { mostFaults: 1 }).start();
    bench.connect();
    await bench.settle();
    assert.deepEqual(bench.faults, ["a 1", "b 1"]);
    assert.deepEqual(last.events.slice(5), ["newConnection", "connectionEstablished"]);
  });

  it("is not even begun in a later life", async () => {
    const [tired, heir] = [recorder({ name: "tired" }), recorder({ name: "heir" })];
    const faults = new Map([["tired", 3]]);
    const bench = await new HostBench([tired.definition, heir.definition], { faults }).start();
    assert.throws(() => tired.pm);
    assert.deepEqual(bench.charges[0]?.connections, ["heir"]);
  });
});

describe("a path manager that cannot begin", () => {
  it("is stopped, with one fault, and another is in charge from the beginning", async () => {
    const heir = recorder({ name: "heir" });
    const broken = definePathManager({ name: "broken", setup: boom });
    const bench = await new HostBench([broken, heir.definition]).start();
    assert.deepEqual(bench.faults, ["broken 1"]);
    assert.match(bench.lines[0] ?? "", /^error: broken: setup failed: Error: boom/);
    assert.equal(bench.lines[1], "error: broken: stopped, as it could not be set up");
    assert.deepEqual(bench.charges, [{ connections: ["heir"], needs: "userspace", endpoints: undefined }]);
  });

  it("is given ten seconds", async () => {
    const hanging = definePathManager({ name: "hanging", setup: () => new Promise(() => undefined) });
    const heir = recorder({ name: "heir" });
    const bench = await new HostBench([hanging, heir.definition]).start(10_000);
    assert.match(bench.lines[0] ?? "", /setup failed: Error: was not done in 10000 ms/);
    assert.deepEqual(bench.charges[0]?.connections, ["heir"]);
  });

  it("is told nothing, if its own timers have brought it down meanwhile", async () => {
    const one = recorder();
    const setup = async (pm: PathManager) => {
      pm.every(10, boom);
      const handlers = await one.definition.setup?.(pm);
      await new Promise<void>((resolve) => void bench.clock.schedule(50, resolve));
      return handlers;
    };
    const bench = new HostBench([definePathManager({ ...one.definition, setup })]);
    await bench.start(100);
    bench.change((network) => network.unplug("eth1"));
    assert.deepEqual(bench.faults, ["recorder 1", "recorder 2", "recorder 3"]);
    assert.deepEqual(one.events, []);
  });
});
