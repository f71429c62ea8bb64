import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { EndpointCommand } from "../../../../src/control/endpoints/commands.ts";
import { endpointFlags } from "../../../../src/kernel/mptcp-pm.ts";
import { endpointOf } from "../policy/world.ts";
import { permissionDenied, World } from "./fakes.ts";

const eth0 = { addresses: ["10.0.0.1"] };
const eth1 = { addresses: ["10.0.1.1"] };
const subflow = endpointFlags.of("subflow");
const add = (address: string, id?: number): EndpointCommand => ({
  kind: "add",
  endpoint: { address, flags: subflow, ...(id !== undefined && { id }) },
});
const renew = (address: string): EndpointCommand => ({ kind: "renew", address });
const theirs = endpointOf({ id: 50, address: "10.0.9.9" });

/** Gives commands, all at once, and waits until they are over. */
async function give(world: World, ...commands: readonly EndpointCommand[]): Promise<void> {
  const done = commands.map((command) => world.reconciler.command(command));
  await world.reconciler.settled();
  await Promise.all(done);
}

async function refuses(world: World, command: EndpointCommand, code: string, message: RegExp): Promise<void> {
  await assert.rejects(give(world, command), { code, message });
}

describe("a path manager's command for endpoints", () => {
  it("renews an endpoint that mptcpd has made: the same is there again, and nothing else has changed", async (t) => {
    const world = new World(t);
    await world.become({ eth0, eth1 });
    const before = await world.kernel.dumpEndpoints();
    world.commands();
    await give(world, renew("10.0.1.1"));
    assert.deepEqual(world.commands(), ["delete 2", "add 10.0.1.1"]);
    assert.deepEqual(await world.kernel.dumpEndpoints(), before);
    assert.equal(world.said("warning"), "");
    assert.match(world.said("info"), /endpoint 2 10\.0\.1\.1.*: deleted, a path manager renews it/);
    await world.resync();
    assert.deepEqual(world.commands(), []);
  });

  it("waits between two deletions until peers can take another REMOVE_ADDR", async (t) => {
    const world = new World(t);
    await world.become({ eth0, eth1 });
    world.kernel.hasPeers = true;
    world.commands();
    const done = [renew("10.0.0.1"), renew("10.0.1.1")].map((command) => world.reconciler.command(command));
    await done[0];
    assert.deepEqual(world.commands(), ["delete 1", "add 10.0.0.1"]);
    await new Promise(setImmediate);
    world.clock.advance(199);
    await new Promise(setImmediate);
    assert.deepEqual(world.commands(), []);
    world.clock.advance(1);
    await done[1];
    assert.deepEqual(world.commands(), ["delete 2", "add 10.0.1.1"]);
  });

  it("is refused for an endpoint of somebody else, whatever the command is", async (t) => {
    const world = new World(t);
    world.kernel.endpoints = [theirs];
    await world.become({ eth0 });
    world.commands();
    const whose = /10\.0\.9\.9 was not made by mptcpd; `mptcpctl adopt 10\.0\.9\.9` takes it over \(EPERM\)$/;
    await refuses(world, renew("10.0.9.9"), "EPERM", whose);
    await refuses(world, { kind: "remove", id: 50 }, "EPERM", whose);
    await refuses(world, { kind: "change", id: 50, flags: endpointFlags.of("backup") }, "EPERM", whose);
    assert.deepEqual(world.commands(), []);
    await give(world, { kind: "flush" });
    assert.deepEqual(
      world.kernel.listed,
      ["50 10.0.9.9 subflow", "1 10.0.0.1 subflow"],
      "mptcpd makes its own again",
    );
    assert.ok(world.kernel.endpoints.includes(theirs));
  });

  it("is refused for one of somebody else also where it has come into the place of ours", async (t) => {
    const world = new World(t);
    await world.become({ eth0 });
    const other = endpointOf({ id: 1, address: "10.0.0.1", ifIndex: 0, flags: ["subflow", "signal"] });
    world.kernel.endpoints = [other];
    world.commands();
    await refuses(world, renew("10.0.0.1"), "EPERM", /^cannot renew endpoint 10\.0\.0\.1: /);
    assert.deepEqual(world.kernel.endpoints, [other]);
  });

  it("is refused for one that the policy keeps only for its connections, as it would not come back", async (t) => {
    const world = new World(t);
    world.config = { ...world.config, removalDelay: 2000 };
    await world.become({ eth0, eth1 });
    await world.become({ eth1 });
    world.commands();
    await refuses(world, renew("10.0.0.1"), "EAGAIN", /it is about to be removed \(EAGAIN\)$/);
    await refuses(world, renew("10.0.7.7"), "ENOENT", /no endpoint makes subflows from this address/);
    assert.deepEqual(world.commands(), []);
  });

  it("adds endpoints that the policy leaves alone, and that path managers may change, renew and remove", async (t) => {
    const world = new World(t);
    await world.become({ eth0 });
    await give(world, add("10.0.5.5", 7), add("10.0.6.6"));
    await world.resync();
    assert.deepEqual(world.kernel.addresses, ["10.0.0.1", "10.0.5.5", "10.0.6.6"]);
    await give(world, { kind: "change", id: 7, flags: endpointFlags.of("backup") }, renew("10.0.5.5"));
    assert.ok(world.kernel.listed.includes("7 10.0.5.5 subflow,backup"));
    await give(world, { kind: "remove", id: 7 });
    assert.deepEqual(world.kernel.addresses, ["10.0.0.1", "10.0.6.6"]);
    assert.equal(world.said("warning"), "");
  });

  it("may remove what was added before mptcpd was started again", async (t) => {
    const world = new World(t);
    await world.become({});
    await give(world, add("10.0.5.5", 7));
    world.startReconciler();
    await world.become({});
    await give(world, { kind: "remove", id: 7 });
    assert.deepEqual(world.kernel.listed, []);
  });

  it("may not remove what somebody has made anew after deleting what was added", async (t) => {
    const world = new World(t);
    await world.become({});
    await give(world, add("10.0.5.5", 7));
    world.kernel.endpoints = [];
    await world.resync();
    world.kernel.endpoints = [endpointOf({ id: 7, address: "10.0.5.5", ifIndex: 0 })];
    await refuses(world, { kind: "remove", id: 7 }, "EPERM", /not made by mptcpd/);
  });

  it("takes nothing for its own that the kernel has refused", async (t) => {
    const world = new World(t);
    world.kernel.endpoints = [theirs];
    await world.become({});
    await refuses(world, add("10.0.9.9"), "EEXIST", /^cannot add endpoint 10\.0\.9\.9: /);
    await refuses(world, add("10.0.8.8", 50), "EBUSY", /^cannot add endpoint 10\.0\.8\.8: /);
    await refuses(world, { kind: "remove", id: 50 }, "EPERM", /not made by mptcpd/);
    await refuses(world, { kind: "remove", id: 77 }, "EINVAL", /^cannot delete endpoint id 77: /);
  });

  it("fails if the kernel cannot be read, and does not wait for ever", async (t) => {
    const world = new World(t);
    await world.become({ eth0 });
    world.kernel.dumpEndpoints = () => Promise.reject(permissionDenied("list endpoints"));
    await refuses(world, renew("10.0.0.1"), "EPERM", /^cannot list endpoints/);
  });

  it("is refused when mptcpd stops, and touches nothing", async (t) => {
    const world = new World(t);
    await world.become({ eth0 });
    await world.reconciler.stop({ remove: false });
    world.commands();
    await refuses(world, { kind: "flush" }, "ECANCELED", /mptcpd is stopping/);
    assert.deepEqual(world.commands(), []);
  });

  it("leaves what path managers have added when mptcpd stops with on-stop=remove", async (t) => {
    const world = new World(t);
    await world.become({ eth0 });
    await give(world, add("10.0.5.5", 7));
    await world.reconciler.stop({ remove: true });
    assert.deepEqual(world.kernel.listed, ["7 10.0.5.5 subflow"]);
  });
});
