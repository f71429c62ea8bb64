import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NetworkModel } from "../../../../src/control/network/network.ts";
import { endpointFlags } from "../../../../src/kernel/mptcp-pm.ts";
import { linux618 } from "../../../../src/path-managers/simulation/endpoints.ts";
import { endpointOf, networkOf } from "../policy/world.ts";
import { World } from "./fakes.ts";

const eth0 = { addresses: ["10.0.0.1"] };
const eth1 = { addresses: ["10.0.1.1"] };
const cut = { ...eth0, flags: ["up"] as const };

describe("the reconciler", () => {
  it("makes an endpoint of each usable address, and raises the limits first", async (t) => {
    const world = new World(t);
    await world.become({ eth0, eth1 });
    assert.deepEqual(world.kernel.listed, ["1 10.0.0.1 subflow", "2 10.0.1.1 subflow"]);
    assert.deepEqual(world.commands(), ["limits 8/8", "add 10.0.0.1", "add 10.0.1.1"]);
  });

  it("does nothing when nothing is to be done", async (t) => {
    const world = new World(t);
    await world.become({ eth0 });
    world.commands();
    await world.become({ eth0 });
    await world.resync();
    assert.deepEqual(world.commands(), []);
  });

  it("gives an address its former id, and no id twice", async (t) => {
    const world = new World(t);
    await world.become({ eth0, eth1 });
    await world.become({ eth0: { addresses: [] }, eth1 });
    await world.become({ eth0: { addresses: ["10.0.0.9"] }, eth1 });
    await world.become({ eth0: { addresses: ["10.0.0.9", "10.0.0.1"] }, eth1 });
    assert.deepEqual(world.kernel.listed.sort(), [
      "1 10.0.0.9 subflow",
      "2 10.0.1.1 subflow",
      "3 10.0.0.1 subflow",
    ]);
  });

  it("changes backup and fullmesh in place", async (t) => {
    const world = new World(t);
    await world.become({ eth0 });
    world.commands();
    world.config = { ...world.config, addressFlags: endpointFlags.of("subflow", "backup") };
    await world.become({ eth0 });
    assert.deepEqual(world.commands(), ["change 1"]);
    assert.deepEqual(world.kernel.listed, ["1 10.0.0.1 subflow,backup"]);
  });

  it("deletes and adds for other flags, keeps the id, and says that it breaks subflows", async (t) => {
    const world = new World(t);
    await world.become({ eth0 });
    world.config = { ...world.config, addressFlags: endpointFlags.of("signal") };
    await world.become({ eth0 });
    assert.deepEqual(world.kernel.listed, ["1 10.0.0.1 signal"]);
    assert.match(world.said("info"), /flags subflow become signal; this breaks its subflows/);
  });

  it("deletes one after another, so that peers deal with each, and lets additions pass", async (t) => {
    const world = new World(t);
    world.kernel.hasPeers = true;
    const addresses = ["10.0.1.1", "10.0.1.2", "10.0.1.3"];
    await world.become({ eth0, eth1: { addresses } });
    world.commands();
    await world.become({ eth0 });
    assert.deepEqual(world.commands(), ["delete 2"]);
    await world.become({ eth0, eth2: { addresses: ["10.0.2.1"] } });
    assert.deepEqual(world.commands(), ["add 10.0.2.1"]);
    for (const id of [3, 4]) {
      await world.advance(199);
      assert.deepEqual(world.commands(), []);
      await world.advance(1);
      assert.deepEqual(world.commands(), [`delete ${id}`]);
    }
    await world.advance(1000);
    assert.deepEqual(world.commands(), []);
  });

  it("deletes all at once where no peer was told, but not where the kernel does not say that", async (t) => {
    for (const [removalsSent, commands] of [
      [7n, ["delete 2", "delete 3"]],
      [undefined, ["delete 2"]],
    ] as const) {
      const world = new World(t);
      world.kernel.removalsSent = removalsSent;
      await world.become({ eth0, eth1: { addresses: ["10.0.1.1", "10.0.1.2"] } });
      world.commands();
      await world.become({ eth0 });
      assert.deepEqual(world.commands(), commands);
    }
  });

  it("asks once for each deletion whether peers were told, and once before the first", async (t) => {
    const world = new World(t);
    await world.become({ eth0, eth1: { addresses: ["10.0.1.1", "10.0.1.2"] } });
    await world.become({ eth0 });
    assert.equal(world.removalReadings, 3);
    await world.become({ eth0, eth1 });
    await world.become({ eth0 });
    assert.equal(world.removalReadings, 4);
  });

  it("waits after a deletion, too, if peers were told by others since the last one", async (t) => {
    const world = new World(t);
    await world.become({ eth0, eth1, eth2: { addresses: ["10.0.2.1", "10.0.2.2"] } });
    await world.become({ eth0, eth2: { addresses: ["10.0.2.1", "10.0.2.2"] } });
    world.commands();
    world.kernel.removalsSent = 5n;
    await world.become({ eth0 });
    assert.deepEqual(world.commands(), ["delete 3"]);
    await world.advance(200);
    assert.deepEqual(world.commands(), ["delete 4"]);
  });

  it("makes room for an addition with the first deletion, not the last", async (t) => {
    const world = new World(t);
    world.kernel.hasPeers = true;
    world.kernel.differ({ slots: 3 });
    await world.become({ eth0, eth1: { addresses: ["10.0.1.1", "10.0.1.2"] } });
    world.commands();
    await world.become({ eth0, eth2: { addresses: ["10.0.2.1"] } });
    const refused = "add 10.0.2.1";
    assert.deepEqual(world.commands(), [refused, "delete 2", "add 10.0.2.1"]);
  });

  it("runs once more for whatever changed during a run", async (t) => {
    const world = new World(t);
    world.kernel.beforeCommand = (command) => {
      if (command === "add 10.0.0.1") void world.become({ eth1 });
    };
    await world.become({ eth0 });
    assert.deepEqual(world.kernel.addresses, ["10.0.1.1"]);
  });
});

describe("the removal delay", () => {
  it("keeps a lost endpoint for its time, and no longer", async (t) => {
    const world = new World(t);
    world.config = { ...world.config, removalDelay: 2000 };
    await world.become({ eth0, eth1 });
    await world.become({ eth0: { addresses: [] }, eth1 });
    await world.advance(1999);
    assert.deepEqual(world.kernel.addresses, ["10.0.0.1", "10.0.1.1"]);
    await world.advance(1);
    assert.deepEqual(world.kernel.addresses, ["10.0.1.1"]);
  });

  it("begins anew after the address came back", async (t) => {
    const world = new World(t);
    world.config = { ...world.config, removalDelay: 2000 };
    await world.become({ eth0, eth1 });
    await world.become({ eth0: cut, eth1 });
    await world.advance(1500);
    await world.become({ eth0, eth1 });
    await world.become({ eth0: cut, eth1 });
    await world.advance(1500);
    assert.deepEqual(world.kernel.addresses, ["10.0.0.1", "10.0.1.1"]);
  });

  it("begins anew when the address of a dead link vanishes", async (t) => {
    const world = new World(t);
    world.config = { ...world.config, removalDelay: 2000 };
    await world.become({ eth0 });
    await world.become({ eth0: cut });
    await world.advance(60_000);
    assert.deepEqual(world.kernel.addresses, ["10.0.0.1"], "kept: nothing else is usable");
    await world.become({ eth0: { ...cut, addresses: [] } });
    await world.advance(1999);
    assert.deepEqual(world.kernel.addresses, ["10.0.0.1"]);
    await world.advance(1);
    assert.deepEqual(world.kernel.addresses, []);
  });
});

describe("an endpoint whose link has come back", () => {
  it("waits while the kernel still looks for a neighbour there, as new subflows would fail with that", async (t) => {
    const world = new World(t);
    await world.become({ eth0, eth1 });
    await world.become({ eth0: cut, eth1 });
    world.resolving = new Set([2]);
    await world.become({ eth0, eth1, eth2: { addresses: ["10.0.2.1"] } });
    await world.advance(900);
    assert.deepEqual(world.kernel.addresses, ["10.0.1.1", "10.0.2.1"], "others do not");
    world.resolving = new Set();
    await world.advance(100);
    assert.deepEqual(world.kernel.addresses, ["10.0.0.1", "10.0.1.1", "10.0.2.1"]);
  });

  it("waits for 3.5 s at most, each time anew", async (t) => {
    const world = new World(t);
    world.resolving = new Set([2]);
    await world.become({ eth0, eth1 });
    assert.deepEqual(world.kernel.addresses, ["10.0.0.1", "10.0.1.1"], "not an address that is new");
    for (const time of ["first", "second"]) {
      await world.become({ eth0: cut, eth1 });
      await world.become({ eth0, eth1 });
      await world.advance(3400);
      assert.deepEqual(world.kernel.addresses, ["10.0.1.1"], time);
      await world.advance(100);
      assert.deepEqual(world.kernel.addresses, ["10.0.0.1", "10.0.1.1"], time);
    }
  });
});

describe("a link that has just come up", () => {
  it("is looked at every 100 ms, however many addresses come back", async (t) => {
    const world = new World(t);
    await world.become({ eth0, eth1 });
    for (let round = 0; round < 5; round++) {
      await world.become({ eth0: { addresses: [] }, eth1 });
      await world.become({ eth0, eth1 });
    }
    assert.deepEqual(world.kernel.addresses.sort(), ["10.0.0.1", "10.0.1.1"]);
    // Each of these networks has links of its own, of which any may have changed.
    assert.equal(world.resolvingReadings, 5);
    const model = new NetworkModel();
    model.replace(networkOf({ eth0, eth1 }));
    const [address] = model.network.addresses;
    assert.ok(address);
    const flap = async (): Promise<void> => {
      for (const change of ["deleted", "new"] as const) {
        model.apply({ change, address });
        world.network = model.network;
        world.reconciler.trigger();
        await world.reconciler.settled();
      }
    };
    for (let round = 0; round < 5; round++) await flap();
    assert.equal(world.resolvingReadings, 6);
    await world.advance(100);
    await flap();
    assert.equal(world.resolvingReadings, 7);
  });
});

describe("an address that comes back to a link that was up all the time", () => {
  it("is an endpoint at once: nobody looks for neighbours because of it", async (t) => {
    const world = new World(t);
    world.resolving = new Set([2]);
    const without = { eth0: { addresses: [] }, eth1 };
    await world.become({ eth0, eth1 });
    await world.advance(3500);
    await world.become(without);
    await world.become({ eth0, eth1 });
    assert.deepEqual(world.kernel.addresses, ["10.0.0.1", "10.0.1.1"]);
    assert.equal(world.resolvingReadings, 0);
    await world.become(without);
    await world.become({ eth0: { ...eth0, carrierUpCount: 2 }, eth1 });
    assert.deepEqual(world.kernel.addresses, ["10.0.1.1"], "but a flap that nobody saw counts");
  });
});

describe("endpoints of others", () => {
  it("are never touched: neither by address, nor by id, nor when everything of ours goes", async (t) => {
    const world = new World(t);
    const theirs = [
      endpointOf({ id: 1, address: "10.0.0.1", ifIndex: 0 }),
      endpointOf({ id: 2, address: "192.168.7.7" }),
    ];
    world.kernel.endpoints = [...theirs];
    await world.become({ eth0, eth1 });
    await world.become({});
    await world.reconciler.stop({ remove: true });
    assert.deepEqual(world.kernel.endpoints, theirs);
  });

  it("are not deleted in place of ours when they took its id", async (t) => {
    const world = new World(t);
    await world.become({ eth0 });
    const theirs = endpointOf({ id: 1, address: "192.168.7.7" });
    world.kernel.endpoints = [theirs];
    await world.become({ eth0: { addresses: [] } });
    assert.deepEqual(world.kernel.endpoints, [theirs]);
  });

  it("are succeeded when they go", async (t) => {
    const world = new World(t);
    world.kernel.endpoints = [endpointOf({ id: 5, address: "10.0.0.1", ifIndex: 0 })];
    await world.become({ eth0 });
    assert.deepEqual(world.commands(), []);
    world.kernel.endpoints = [];
    await world.advance(30_000);
    assert.deepEqual(world.kernel.listed, ["1 10.0.0.1 subflow"]);
  });

  it("give way if the kernel made them for itself", async (t) => {
    const world = new World(t);
    world.kernel.endpoints = [endpointOf({ id: 3, address: "10.0.0.1", ifIndex: 0, flags: ["implicit"] })];
    await world.become({ eth0 });
    assert.deepEqual(world.kernel.listed, ["3 10.0.0.1 subflow"]);
    assert.deepEqual(
      world.ledger().endpoints.map(({ id }) => id),
      [3],
      "with the id that the kernel chose",
    );
  });
});

describe("drift", () => {
  it("is repaired within 30 s, with one warning", async (t) => {
    const world = new World(t);
    await world.become({ eth0, eth1 });
    world.kernel.endpoints = world.kernel.endpoints.filter(({ id }) => id !== 1);
    await world.advance(30_000);
    await world.advance(30_000);
    assert.deepEqual(world.kernel.addresses, ["10.0.0.1", "10.0.1.1"]);
    assert.equal(world.said("warning"), "endpoint 1 10.0.0.1 dev eth0 subflow: deleted by somebody else");
  });

  it("of flags is repaired in place", async (t) => {
    const world = new World(t);
    await world.become({ eth0 });
    await world.kernel.changeEndpoint({ id: 1, flags: endpointFlags.of("backup") });
    world.commands();
    await world.resync();
    assert.deepEqual(world.commands(), ["change 1"]);
    assert.match(world.said("warning"), /changed by somebody else/);
  });
});

describe("a kernel that is full", () => {
  const many = { eth0: { addresses: Array.from({ length: 10 }, (_, index) => `10.0.0.${index + 1}`) } };

  it("is filled; the rest waits, and is promoted when a slot frees", async (t) => {
    const world = new World(t);
    await world.become(many);
    assert.equal(world.kernel.endpoints.length, 8);
    assert.match(world.said("notice"), /this kernel holds 8 endpoints/);
    assert.equal(world.said("error"), "");
    world.network = { ...world.network, addresses: world.network.addresses.slice(1) };
    world.reconciler.trigger();
    await world.reconciler.settled();
    assert.ok(world.kernel.addresses.includes("10.0.0.9"));
    assert.equal(world.kernel.endpoints.length, 8);
  });

  it("whose last slot somebody else took lets the address wait, which is no refusal", async (t) => {
    const world = new World(t);
    world.ledger().recordCapacity(2);
    world.startReconciler();
    world.kernel.differ({ slots: 2 });
    await world.become({ eth0 });
    world.kernel.endpoints = [
      ...world.kernel.endpoints,
      endpointOf({ id: 9, address: "192.168.7.7", ifIndex: 0 }),
    ];
    await world.become({ eth0, eth1 });
    assert.equal(world.said("error"), "");
    assert.deepEqual(world.refusals, []);
  });

  it("is known as such after a restart", async (t) => {
    const world = new World(t);
    await world.become(many);
    world.startReconciler();
    world.commands();
    await world.become(many);
    assert.deepEqual(
      world.commands().filter((command) => command.startsWith("add")),
      [],
    );
  });

  it("is not mistaken for a smaller one when somebody deletes endpoints in the moment of the refusal", async (t) => {
    const world = new World(t);
    world.kernel.endpoints = Array.from({ length: 8 }, (_, index) =>
      endpointOf({ id: index + 1, address: `192.168.7.${index + 1}`, ifIndex: 0 }),
    );
    await world.become({});
    const add = world.kernel.addEndpoint.bind(world.kernel);
    world.kernel.addEndpoint = async (endpoint) => {
      world.kernel.addEndpoint = add;
      await add(endpoint).finally(() => {
        world.kernel.endpoints = [];
      });
    };
    await world.become({ eth0, eth1 });
    assert.deepEqual(world.kernel.addresses, ["10.0.0.1", "10.0.1.1"]);
    assert.equal(world.said("notice"), "");
  });

  it("that was mistaken for a smaller one is found out within 30 s", async (t) => {
    const world = new World(t);
    world.ledger().recordCapacity(1);
    world.startReconciler();
    await world.become({ eth0, eth1 });
    assert.deepEqual(world.kernel.addresses, ["10.0.0.1"]);
    await world.advance(30_000);
    assert.deepEqual(world.kernel.addresses, ["10.0.0.1", "10.0.1.1"]);
  });

  it("costs one refusal in 30 s and no further notice while addresses wait", async (t) => {
    const world = new World(t);
    await world.become(many);
    world.commands();
    let refusals = 0;
    world.kernel.beforeCommand = (command) => {
      if (command.startsWith("add")) refusals++;
    };
    await world.advance(30_000);
    assert.equal(refusals, 1);
    assert.equal(world.said("notice").split("\n").length, 1);
    assert.equal(world.kernel.endpoints.length, 8);
  });
});

describe("a flag that the kernel drops silently", () => {
  it("is read back, said once, and not fought over", async (t) => {
    const world = new World(t);
    world.kernel.differ({ flags: linux618.flags.without("laminar") });
    world.config = { ...world.config, addressFlags: endpointFlags.of("subflow", "laminar") };
    await world.become({ eth0, eth1 });
    await world.resync();
    assert.deepEqual(world.kernel.listed, ["1 10.0.0.1 subflow", "2 10.0.1.1 subflow"]);
    assert.equal(
      world.said("warning"),
      "this kernel does not know the flag laminar: endpoints go without it",
    );
  });
});

describe("a preview", () => {
  it("tells what a run would do, and changes nothing", async (t) => {
    const world = new World(t);
    await world.become({ eth0 });
    world.network = { ...world.network, addresses: [] };
    world.commands();
    const { steps } = await world.reconciler.preview();
    assert.deepEqual(
      steps.map(({ kind, reason }) => `${kind}: ${reason}`),
      ["delete: no longer an address of eth0"],
    );
    assert.deepEqual(world.commands(), []);
  });
});
