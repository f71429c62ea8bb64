import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { permissionDenied, World } from "./fakes.ts";

const eth0 = { addresses: ["10.0.0.1"] };
const eth1 = { addresses: ["10.0.1.1"] };
const eth2 = { addresses: ["10.0.2.1"] };

describe("on-stop=remove", () => {
  it("goes on after a refusal, gives the limits back, and names all that is left", async (t) => {
    const world = new World(t);
    await world.become({ eth0, eth1, eth2 });
    world.kernel.beforeCommand = (command) => {
      if (command === "delete 1" || command === "delete 2") throw permissionDenied(command);
    };
    await assert.rejects(
      world.reconciler.stop({ remove: true }),
      /cannot delete endpoint 1 10\.0\.0\.1 .*\(EPERM\); cannot delete endpoint 2 .*\(EPERM\)$/,
    );
    assert.deepEqual(world.kernel.addresses, ["10.0.0.1", "10.0.1.1"]);
    assert.deepEqual(world.kernel.limits, { subflows: 2, addAddrAccepted: 0 });
  });

  it("leaves an endpoint that carries the only subflow of a connection, names it, and removes the others", async (t) => {
    const world = new World(t);
    await world.become({ eth0, eth1 });
    world.addressLoads = new Map([["10.0.0.1", { only: 1, initial: 1 }]]);
    await world.reconciler.stop({ remove: true });
    assert.deepEqual(world.kernel.addresses, ["10.0.0.1"]);
    assert.match(
      world.said("warning"),
      /^endpoint 1 10\.0\.0\.1 dev eth0 subflow: left in place, .*only subflow/,
    );
    assert.deepEqual(world.kernel.limits, { subflows: 2, addAddrAccepted: 0 });
    assert.deepEqual(
      world.ledger().endpoints.map(({ id }) => id),
      [1],
      "it is still ours for the next mptcpd",
    );
  });

  it("looks again before each deletion: the other subflow of a connection becomes its only one", async (t) => {
    const world = new World(t);
    await world.become({ eth0, eth1 });
    world.addressLoads = new Map([
      ["10.0.0.1", { only: 0, initial: 0 }],
      ["10.0.1.1", { only: 0, initial: 1 }],
    ]);
    world.kernel.beforeCommand = (command) => {
      if (command === "delete 1") world.addressLoads = new Map([["10.0.1.1", { only: 1, initial: 1 }]]);
    };
    await world.reconciler.stop({ remove: true });
    assert.deepEqual(
      world.kernel.addresses,
      ["10.0.1.1"],
      "the subflow that the connection began with is the last",
    );
  });

  it("leaves all endpoints where nobody can tell which connections use them", async (t) => {
    const world = new World(t);
    await world.become({ eth0 });
    world.readAddressLoads = () => Promise.reject(new Error("cannot list MPTCP connections"));
    await assert.rejects(
      world.reconciler.stop({ remove: true }),
      /10\.0\.0\.1 .*left.*cannot list MPTCP connections/,
    );
    assert.deepEqual(world.kernel.addresses, ["10.0.0.1"]);
    assert.deepEqual(world.kernel.limits, { subflows: 2, addAddrAccepted: 0 });
  });
});
