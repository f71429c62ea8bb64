import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { endpointFlags } from "../../../../src/kernel/mptcp-pm.ts";
import { KernelError } from "../../../../src/kernel/netlink/errors.ts";
import { permissionDenied, WALL_CLOCK_AT_START, World } from "./fakes.ts";

const eth0 = { addresses: ["10.0.0.1"] };
const eth1 = { addresses: ["10.0.1.1"] };
const eth2 = { addresses: ["10.0.2.1"] };
const first = "add endpoint 10.0.0.1 dev eth0 subflow";
const second = "add endpoint 10.0.1.1 dev eth1 subflow";

describe("an endpoint that the kernel refuses", () => {
  it("is tried again, waiting longer each time, and said once, with the success at last", async (t) => {
    const world = new World(t);
    refuse(world, { "10.0.0.1": 3 });
    await world.become({ eth0 });
    for (const wait of [100, 200, 400]) {
      await world.advance(wait - 1);
      assert.deepEqual(world.kernel.addresses, []);
      await world.advance(1);
    }
    assert.deepEqual(world.kernel.addresses, ["10.0.0.1"]);
    assert.match(
      world.said("error"),
      new RegExp(`^cannot ${first}: .*\\(EPERM\\); trying again until it works$`),
    );
    assert.equal(world.said("notice"), `${first}: worked at attempt 4`);
  });

  it("is tried at least every 30 s, for as long as it takes", async (t) => {
    const world = new World(t);
    const attempts: number[] = [];
    world.kernel.beforeCommand = (command) => {
      if (!command.startsWith("add")) return;
      attempts.push(world.clock.now());
      throw permissionDenied(command);
    };
    await world.become({ eth0 });
    for (let step = 0; step < 6000; step++) await world.advance(100);
    const waits = attempts.slice(1).map((at, i) => at - (attempts[i] ?? 0));
    assert.deepEqual(waits.slice(0, 9), [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600]);
    assert.deepEqual(new Set(waits.slice(9)), new Set([30_000]));
    assert.ok(attempts.length > 25, `${attempts.length} in 600 s`);
    assert.equal(world.said("error").split("\n").length, 1);
  });

  it("keeps no other back, whatever happens to it: each has its own error, attempts and next time", async (t) => {
    const world = new World(t);
    world.kernel.beforeCommand = (command) => {
      if (command === "add 10.0.0.1") throw permissionDenied(command);
      if (command === "add 10.0.1.1") throw new KernelError(command, 98, { message: "the port is taken" });
    };
    await world.become({ eth0, eth1, eth2 });
    assert.deepEqual(world.kernel.addresses, ["10.0.2.1"]);
    assert.deepEqual(
      world
        .said("error")
        .split("\n")
        .map((line) => line.replace(/: .*/, "")),
      [`cannot ${first}`, `cannot ${second}`],
    );
    await world.advance(100);
    await world.advance(200);
    await world.become({ eth0, eth1, eth2, eth3: { addresses: ["10.0.3.1"] } });
    assert.deepEqual(world.kernel.addresses, ["10.0.2.1", "10.0.3.1"]);
    assert.deepEqual(world.refusals, [
      { ...refused("10.0.0.1", 2), code: "EPERM", words: "operation not permitted (EPERM)" },
      { ...refused("10.0.1.1", 3), code: "EADDRINUSE", words: "the port is taken (EADDRINUSE)" },
    ]);
    function refused(address: string, ifIndex: number) {
      return { action: "add", address, ifIndex, attempts: 3, retryAt: WALL_CLOCK_AT_START + 700 };
    }
  });

  it("is not tried before its time because another one is", async (t) => {
    const world = new World(t);
    const attempts: string[] = [];
    world.kernel.beforeCommand = (command) => {
      attempts.push(command);
      if (command === "add 10.0.0.1") throw permissionDenied(command);
    };
    await world.become({ eth0 });
    for (const wait of [100, 200, 400]) await world.advance(wait);
    attempts.splice(0);
    await world.become({ eth0, eth1 });
    await world.become({ eth0, eth1, eth2 });
    assert.deepEqual(attempts, ["add 10.0.1.1", "add 10.0.2.1"]);
  });

  it("is tried at once after a reload, and when something else is wanted of it", async (t) => {
    const world = new World(t);
    let attempts = 0;
    world.kernel.beforeCommand = (command) => {
      if (!command.startsWith("add")) return;
      attempts++;
      throw permissionDenied(command);
    };
    await world.become({ eth0 });
    await world.resync();
    assert.equal(attempts, 2);
    world.config = { ...world.config, addressFlags: endpointFlags.of("signal") };
    await world.become({ eth0 });
    assert.equal(attempts, 3);
  });

  it("is said anew when the reason changes", async (t) => {
    const world = new World(t);
    let attempts = 0;
    world.kernel.beforeCommand = (command) => {
      if (command.startsWith("add")) throw new KernelError(command, attempts++ < 2 ? 1 : 12);
    };
    await world.become({ eth0 });
    for (const wait of [100, 200, 400]) await world.advance(wait);
    assert.deepEqual(
      world
        .said("error")
        .split("\n")
        .map((line) => line.match(/\((\w+)\)/)?.[1]),
      ["EPERM", "ENOMEM"],
    );
  });

  it("is no longer refused once nobody wants it", async (t) => {
    const world = new World(t);
    refuse(world, { "10.0.0.1": 99 });
    await world.become({ eth0, eth1 });
    assert.equal(world.refusals.length, 1);
    await world.become({ eth1 });
    assert.deepEqual(world.refusals, []);
    assert.equal(world.said("notice"), `${first}: no longer needed, not tried again`);
  });
});

describe("a change or deletion that the kernel refuses", () => {
  it("keeps no other back, and is told as such", async (t) => {
    const world = new World(t);
    await world.become({ eth0, eth1 });
    world.kernel.beforeCommand = (command) => {
      if (command === "delete 1" || command === "change 2") throw permissionDenied(command);
    };
    world.config = { ...world.config, addressFlags: endpointFlags.of("subflow", "backup") };
    await world.become({ eth0: { addresses: [] }, eth1, eth2 });
    assert.deepEqual(world.kernel.listed, [
      "1 10.0.0.1 subflow",
      "2 10.0.1.1 subflow",
      "3 10.0.2.1 subflow,backup",
    ]);
    assert.deepEqual(world.refusals.map(({ action, address }) => `${action} ${address}`).sort(), [
      "change 10.0.1.1",
      "delete 10.0.0.1",
    ]);
  });

  it("does not let what should take its place be refused, too", async (t) => {
    const world = new World(t);
    await world.become({ eth0 });
    world.kernel.beforeCommand = (command) => {
      if (command === "delete 1") throw permissionDenied(command);
    };
    world.config = { ...world.config, addressFlags: endpointFlags.of("signal") };
    await world.become({ eth0 });
    assert.deepEqual(
      world.refusals.map(({ action }) => action),
      ["delete"],
    );
    world.kernel.beforeCommand = () => undefined;
    await world.advance(100);
    assert.deepEqual(world.kernel.listed, ["1 10.0.0.1 signal"]);
  });
});

describe("a command without an answer", () => {
  it("leaves the endpoint ours if it was made", async (t) => {
    const world = new World(t);
    const add = world.kernel.addEndpoint.bind(world.kernel);
    world.kernel.addEndpoint = async (endpoint) => {
      await add(endpoint);
      throw new Error("no answer from the kernel");
    };
    await world.become({ eth0 });
    assert.deepEqual(
      world.ledger().endpoints.map(({ address }) => address),
      ["10.0.0.1"],
    );
    assert.equal(world.kernel.commands.filter((command) => command.startsWith("add")).length, 1);
  });

  it("delays no other endpoint, even if the kernel cannot be read now", async (t) => {
    const world = new World(t);
    await world.become({});
    const dump = world.kernel.dumpEndpoints.bind(world.kernel);
    world.kernel.beforeCommand = (command) => {
      if (command !== "add 10.0.0.1") return;
      world.kernel.dumpEndpoints = () => Promise.reject(new Error("cannot list endpoints: no answer"));
      throw new Error("cannot add endpoint: no answer");
    };
    await world.become({ eth0, eth1 });
    assert.deepEqual(world.kernel.addresses, ["10.0.1.1"]);
    await world.become({ eth0, eth1, eth2 });
    assert.deepEqual(world.kernel.addresses, ["10.0.1.1", "10.0.2.1"]);
    world.kernel.dumpEndpoints = dump;
    world.kernel.beforeCommand = () => undefined;
    await world.advance(300);
    assert.deepEqual(world.kernel.addresses, ["10.0.0.1", "10.0.1.1", "10.0.2.1"]);
  });
});

/** Lets the first additions of these addresses fail. */
function refuse(world: World, times: Readonly<Record<string, number>>): void {
  const left = new Map(Object.entries(times));
  world.kernel.beforeCommand = (command) => {
    const [, address = ""] = command.split(" ");
    const more = left.get(address) ?? 0;
    left.set(address, more - 1);
    if (command.startsWith("add") && more > 0) throw permissionDenied(command);
  };
}
