import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type EndpointFlag, endpointFlags } from "../../../../src/kernel/mptcp-pm.ts";
import heal from "../../../../src/path-managers/built-in/heal.ts";
import type { SimulatedPeer } from "../../../../src/path-managers/simulation/peer.ts";
import { type Simulation, simulate } from "../../../../src/path-managers/simulation/simulation.ts";

const interfaces = { eth0: ["10.0.1.2"], eth1: ["10.0.2.2"] };
const client = { from: "10.0.1.2", to: "10.0.9.9" };

interface Host {
  readonly simulation: Simulation;
  /** When the endpoint of 10.0.2.2 was made anew, in seconds. */
  readonly renewals: number[];
  /** A connection with a subflow from 10.0.2.2 that the kernel has made. */
  connect(): Promise<SimulatedPeer>;
}

/** A host whose kernel manages paths, with an endpoint at 10.0.2.2. */
async function host(options = {}, flags: readonly EndpointFlag[] = ["subflow"]): Promise<Host> {
  const simulation = await simulate(heal, { interfaces, pathManager: "kernel", options });
  const { endpoints } = simulation;
  await endpoints.addEndpoint({ address: "10.0.1.2", flags: endpointFlags.of("subflow") });
  await endpoints.addEndpoint({ address: "10.0.2.2", id: 7, flags: endpointFlags.of(...flags), ifIndex: 0 });
  await simulation.adoptEndpoint(7);
  const renewals: number[] = [];
  const add = endpoints.addEndpoint.bind(endpoints);
  endpoints.addEndpoint = async (endpoint) => {
    await add(endpoint);
    renewals.push(Math.round(simulation.now / 1000));
  };
  const connect = async (): Promise<SimulatedPeer> => {
    const peer = simulation.connect(client);
    peer.join({ from: "10.0.9.9", to: "10.0.2.2" });
    await simulation.settle();
    return peer;
  };
  return { simulation, renewals, connect };
}

describe("heal beside the kernel's path manager makes the endpoint of a lost subflow anew", () => {
  it("as it was, so that the kernel tries again", async () => {
    const { simulation, renewals, connect } = await host({}, ["subflow", "backup", "fullmesh"]);
    const before = await simulation.endpoints.dumpEndpoints();
    const peer = await connect();
    peer.breakSubflows("10.0.2.2");
    await simulation.advance(1100);
    assert.deepEqual(renewals, [1]);
    assert.deepEqual(await simulation.endpoints.dumpEndpoints(), before);
    assert.deepEqual(
      simulation.log.map(({ message }) => message),
      ["heal: the kernel tries 10.0.2.2 again"],
    );
    peer.join({ from: "10.0.9.9", to: "10.0.2.2" });
    await simulation.settle();
    assert.equal(simulation.faults, 0);
  });

  it("again and again, at times that double, where nothing comes of it", async () => {
    const { simulation, renewals, connect } = await host({ delay: "1", "longest-delay": "8", budget: "6" });
    (await connect()).breakSubflows("10.0.2.2");
    await simulation.advance(1_000_000);
    assert.deepEqual(renewals, [1, 3, 7, 15, 23, 31]);
    assert.match(simulation.log.at(-1)?.message ?? "", /is given up after 6 attempts/);
  });

  it("for all connections at once, and no oftener because they are many", async () => {
    const { simulation, renewals, connect } = await host({ delay: "1", "longest-delay": "8", budget: "6" });
    for (const peer of [await connect(), await connect(), await connect()]) {
      peer.breakSubflows("10.0.2.2");
      await simulation.advance(1500);
    }
    await simulation.advance(1_000_000);
    // Not before the third one has lost its subflow, too, which costs no attempt; then at least 1, 2, 4 and 8 seconds
    // apart.
    assert.deepEqual(renewals, [4, 6, 9, 15, 23, 31, 39, 47]);
  });

  it("once for sixty connections that lose a path together, and then at intervals that double", async () => {
    const { simulation, renewals, connect } = await host({ delay: "1", "longest-delay": "8", budget: "6" });
    const peers = await Promise.all(Array.from({ length: 60 }, () => connect()));
    for (const peer of peers) peer.breakSubflows("10.0.2.2");
    await simulation.advance(1_000_000);
    assert.deepEqual(renewals, [1, 3, 7, 15, 23, 31]);
    assert.equal(simulation.faults, 0);
  });

  it("not if it is somebody else's, and says how to change that, once for each attempt", async () => {
    const { simulation, renewals, connect } = await host({ budget: "2" });
    await simulation.endpoints.deleteEndpoint({ id: 7 });
    await simulation.endpoints.addEndpoint({
      address: "10.0.2.2",
      id: 50,
      flags: endpointFlags.of("subflow"),
    });
    renewals.length = 0;
    for (const peer of [await connect(), await connect()]) peer.breakSubflows("10.0.2.2");
    await simulation.advance(1_000_000);
    assert.deepEqual(renewals, []);
    const refusals = simulation.log.filter(({ message }) =>
      /cannot renew endpoint 10\.0\.2\.2: 10\.0\.2\.2 was not made by mptcpd; `mptcpctl adopt/.test(message),
    );
    assert.equal(refusals.length, 2);
    assert.equal(simulation.faults, 0);
  });

  it("only while none of the kernel's connections has a subflow from there", async () => {
    const { simulation, renewals, connect } = await host();
    const [broken, lucky] = [await connect(), await connect()];
    broken.breakSubflows("10.0.2.2");
    await simulation.advance(10_000);
    assert.deepEqual(renewals, []);
    lucky.closeSubflows("10.0.2.2");
    await simulation.advance(10_000);
    assert.equal(renewals.length, 1, "it goes on looking");
  });

  it("also when others had one for so long that no attempt would be left", async () => {
    const { simulation, renewals, connect } = await host({ budget: "2" });
    const [broken, lucky] = [await connect(), await connect()];
    broken.breakSubflows("10.0.2.2");
    await simulation.advance(1_000_000);
    lucky.closeSubflows("10.0.2.2");
    await simulation.advance(1_000_000);
    assert.equal(renewals.length, 2);
    assert.match(simulation.log.at(-1)?.message ?? "", /is given up after 2 attempts/);
  });

  it("whatever connections of the userspace path manager have there, which need no endpoint", async () => {
    const { simulation, renewals, connect } = await host();
    const other = simulation.connect({ ...client, pathManager: "userspace" });
    other.join({ from: "10.0.9.9", to: "10.0.2.2" });
    other.breakSubflows("10.0.1.2");
    await simulation.advance(1100);
    assert.equal(other.subflows.length, 2);
    (await connect()).breakSubflows("10.0.2.2");
    await simulation.advance(1100);
    assert.equal(renewals.length, 1);
    assert.equal(other.subflows.length, 2);
  });

  it("not where the kernel has made it by itself", async () => {
    const { simulation, renewals, connect } = await host();
    const peer = await connect();
    peer.breakSubflows("10.0.2.2");
    await simulation.settle();
    peer.join({ from: "10.0.9.9", to: "10.0.2.2" });
    await simulation.advance(100_000);
    assert.deepEqual(renewals, []);
  });

  it("not where there is no endpoint, or one that makes no subflows", async () => {
    for (const flags of [["signal"], []] as const) {
      const { simulation, renewals, connect } = await host({}, flags);
      if (flags.length === 0) await simulation.endpoints.deleteEndpoint({ id: 7 });
      (await connect()).breakSubflows("10.0.2.2");
      await simulation.advance(1_000_000);
      assert.deepEqual(renewals, []);
      assert.equal(simulation.faults, 0);
    }
  });

  it("beginning with the shortest delay again, when long nothing was lost", async () => {
    const { simulation, renewals, connect } = await host({ "longest-delay": "8" });
    const peer = await connect();
    for (const _ of [1, 2]) {
      renewals.length = 0;
      const begun = Math.round(simulation.now / 1000);
      peer.breakSubflows("10.0.2.2");
      await simulation.advance(4000);
      assert.deepEqual(
        renewals.map((time) => time - begun),
        [1, 3],
      );
      peer.join({ from: "10.0.9.9", to: "10.0.2.2" });
      await simulation.advance(200_000);
    }
  });

  it("and needs no path manager in particular", () => {
    assert.equal(heal.needs, "any");
  });
});
