import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { definePathManager } from "../../../../src/path-managers/runtime/api.ts";
import { config, HostBench, recorder } from "./fakes.ts";

const connectionEvents = ["newConnection", "connectionEstablished"];
const networkEvents = [
  ...["newInterface", "newInterface", "newLocalAddress", "newLocalAddress", "newLocalAddress"],
];

describe("a host of several path managers", () => {
  it("lets them begin by priority, those of the same one in the order in which they were loaded", async () => {
    const begun: string[] = [];
    const named = (name: string, priority?: number) =>
      definePathManager({
        name,
        ...(priority !== undefined && { priority }),
        setup: () => void begun.push(name),
      });
    await new HostBench([
      named("b"),
      named("late", 5),
      named("a"),
      named("first", -5),
      named("c", 0),
    ]).start();
    assert.deepEqual(begun, ["first", "b", "a", "c", "late"]);
  });

  it("lets none wait for what another one waits for at its beginning", async () => {
    const begun: string[] = [];
    const slow = (name: string) =>
      definePathManager({
        name,
        async setup(pm) {
          await pm.sleep(8000);
          begun.push(name);
          return {};
        },
      });
    const bench = await new HostBench([slow("a"), slow("b")]).start(9000);
    assert.deepEqual(begun, ["a", "b"]);
    assert.deepEqual(bench.faults, []);
  });

  it("tells all of the network, and who is in charge of connections", async () => {
    const [first, second] = [recorder({ name: "first" }), recorder({ name: "second" })];
    const bench = await new HostBench([first.definition, second.definition]).start();
    bench.connect();
    await bench.settle();
    assert.deepEqual(first.events, [...networkEvents, ...connectionEvents]);
    assert.deepEqual(second.events, networkEvents);
    assert.deepEqual(bench.charges, [{ connections: ["first"], needs: "userspace", endpoints: undefined }]);
  });

  it("puts those in charge that path-manager names, several or one", async () => {
    const all = ["a", "b", "c"].map((name) => recorder({ name }));
    const definitions = all.map(({ definition }) => definition);
    const bench = await new HostBench(definitions, { inCharge: ["c", "b"] }).start();
    bench.connect();
    await bench.settle();
    assert.deepEqual(
      all.map(({ events }) => events.length - networkEvents.length),
      [0, 2, 2],
    );
    assert.deepEqual(bench.charges[0]?.connections, ["b", "c"]);
  });

  it("tells of listening sockets who is in charge", async () => {
    const [first, second] = [recorder({ name: "first" }), recorder({ name: "second" })];
    const bench = await new HostBench([first.definition, second.definition]).start();
    const listener = { family: 2, localAddress: "10.0.1.2", localPort: 80 };
    bench.kernel.tell({ event: "listenerCreated", ...listener });
    bench.kernel.tell({ event: "listenerClosed", ...listener });
    await bench.settle();
    const address = { address: "10.0.1.2", port: 80 };
    assert.deepEqual(first.told.slice(-2), [
      { event: "listenerCreated", details: [address] },
      { event: "listenerClosed", details: [address] },
    ]);
    assert.deepEqual(second.events, networkEvents);
  });

  it("tells nobody of a subflow that could not be made, but who asked for it", async () => {
    const [one, two] = [recorder({ name: "one" }), recorder({ name: "two" })];
    const inCharge = ["one", "two"];
    const bench = await new HostBench([one.definition, two.definition], { inCharge }).start();
    bench.kernel.answer = () => "refuse";
    bench.connect();
    await bench.settle();
    const [connection = assert.fail()] = one.pm.connections;
    const asked = one.pm.createSubflow(connection, { from: "10.0.2.2" });
    await Promise.all([assert.rejects(asked, { code: "ECONNREFUSED" }), bench.settle()]);
    assert.deepEqual(two.events, [...networkEvents, ...connectionEvents]);
  });

  it("asks for endpoints whoever is in charge of them", async () => {
    const asked = definePathManager({
      name: "asked",
      endpoints: ({ addresses }) => addresses.map((address) => ({ address })),
    });
    const bench = await new HostBench([recorder().definition, asked]).start();
    const wanted = bench.runtime.host.wantedEndpoints(bench.network.network, config);
    assert.equal(wanted?.by, "asked");
    assert.deepEqual(
      wanted?.endpoints.map(({ address }) => address),
      ["10.0.1.2", "10.0.2.2", "fd00:2::2"],
    );
  });

  it("ends them all: signals are aborted, timers are gone, and nothing is told any more", async () => {
    const one = recorder();
    const bench = await new HostBench([one.definition]).start();
    let ticks = 0;
    one.pm.every(10, () => ticks++);
    const sleep = assert.rejects(one.pm.sleep(50), /unloads its path managers/);
    bench.runtime.host.stop();
    await sleep;
    assert.equal(one.pm.signal.aborted, true);
    bench.connect();
    bench.change((network) => network.unplug("eth1"));
    await bench.settle();
    assert.equal(ticks, 0);
    assert.deepEqual(one.events, networkEvents);
  });
});
