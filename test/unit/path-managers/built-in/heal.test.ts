import assert from "node:assert/strict";
import { describe, it } from "node:test";
import heal from "../../../../src/path-managers/built-in/heal.ts";
import {
  type CreateSubflowOptions,
  definePathManager,
  type PathManager,
} from "../../../../src/path-managers/runtime/api.ts";
import type { SimulatedPeer } from "../../../../src/path-managers/simulation/peer.ts";
import type { SimulationSetting } from "../../../../src/path-managers/simulation/setting.ts";
import { type Simulation, simulate } from "../../../../src/path-managers/simulation/simulation.ts";

const interfaces = { eth0: ["10.0.1.2", "fd00:1::2"], eth1: ["10.0.2.2"] };
const client = { from: "10.0.1.2", to: "10.0.9.9" };
const path = "10.0.1.2 > 10.0.9.9";

async function connected(
  setting: SimulationSetting = {},
): Promise<{ simulation: Simulation; peer: SimulatedPeer }> {
  const simulation = await simulate(heal, { interfaces, ...setting });
  const peer = simulation.connect(client);
  await simulation.settle();
  return { simulation, peer };
}

/** The same, where another path manager has a hand in it as well. */
async function shared() {
  let pm: PathManager | undefined;
  const definition = definePathManager({
    ...heal,
    setup(given) {
      pm = given;
      return heal.setup?.(given);
    },
  });
  const simulation = await simulate(definition, { interfaces });
  const peer = simulation.connect(client);
  await simulation.settle();
  const [connection = assert.fail()] = simulation.connections;
  const create = (options: CreateSubflowOptions) =>
    Promise.all([pm?.createSubflow(connection, options), simulation.settle()]);
  return { simulation, peer, create };
}

/** Counts the attempts, all of which are answered alike. */
function answerAll(simulation: Simulation, answer: "refuse" | "silence"): number[] {
  const times: number[] = [];
  simulation.answer = () => {
    times.push(Math.round((simulation.now - 20) / 1000));
    return answer;
  };
  return times;
}

const said = ({ log }: Simulation) => log.map(({ level, message }) => `${level}: ${message}`);

describe("heal makes a subflow again", () => {
  it("that was lost by an error, a second later", async () => {
    const { simulation, peer } = await connected();
    peer.breakSubflows("10.0.1.2");
    await simulation.advance(999);
    assert.deepEqual(peer.subflows, []);
    await simulation.advance(50);
    assert.deepEqual(peer.subflows, [path]);
    assert.deepEqual(said(simulation), ["info: heal: 10.0.1.2 > 10.0.9.9 port 443 is back"]);
  });

  it("over IPv6 and to a port of its own, as it was", async () => {
    const simulation = await simulate(heal, { interfaces });
    const peer = simulation.connect({ from: "fd00:1::2", to: "fd00:9::9", port: 80 });
    await simulation.settle();
    peer.breakSubflows("fd00:1::2", "ETIMEDOUT");
    await simulation.advance(1100);
    assert.deepEqual(peer.subflows, ["fd00:1::2 > fd00:9::9"]);
  });

  it("as backup, if this host had made it so", async () => {
    const { simulation, peer, create } = await shared();
    await create({ from: "10.0.2.2", backup: true });
    peer.breakSubflows("10.0.2.2");
    await simulation.advance(1100);
    assert.deepEqual(peer.subflows, [path, "10.0.2.2 > 10.0.9.9 backup"]);
  });

  it("not where it was closed in good order, or the peer makes subflows", async () => {
    const { simulation, peer } = await connected();
    const accepted = simulation.connect({ from: client.to, to: client.from });
    await simulation.settle();
    peer.closeSubflows("10.0.1.2");
    accepted.breakSubflows("10.0.1.2");
    await simulation.advance(100_000);
    assert.deepEqual([peer.subflows, accepted.subflows], [[], []]);
  });

  it("not where the connection is gone", async () => {
    const { simulation, peer } = await connected();
    const times = answerAll(simulation, "refuse");
    peer.breakSubflows("10.0.1.2");
    peer.close();
    await simulation.advance(100_000);
    assert.deepEqual([times, said(simulation)], [[], []]);
  });

  it("not where another goes the same way", async () => {
    const { simulation, peer, create } = await shared();
    peer.breakSubflows("10.0.1.2");
    await simulation.settle();
    await create({ from: "10.0.1.2" });
    const times = answerAll(simulation, "refuse");
    await simulation.advance(100_000);
    assert.deepEqual([times, peer.subflows], [[], [path]]);
  });
});

describe("heal tries again", () => {
  it("after delays that double up to the longest, so many times", async () => {
    const { simulation, peer } = await connected({
      options: { delay: "2", "longest-delay": "10", budget: "5" },
    });
    const times = answerAll(simulation, "refuse");
    peer.breakSubflows("10.0.1.2");
    await simulation.advance(1_000_000);
    assert.deepEqual(times, [2, 6, 14, 24, 34]);
    assert.equal(
      said(simulation).at(-1),
      "warning: heal: 10.0.1.2 > 10.0.9.9 port 443 is given up after 5 attempts",
    );
    assert.equal(simulation.faults, 0);
  });

  it("where the peer is silent, when that has become clear", async () => {
    const { simulation, peer } = await connected({ options: { budget: "2" } });
    const times = answerAll(simulation, "silence");
    peer.breakSubflows("10.0.1.2");
    await simulation.advance(100_000);
    assert.deepEqual(times, [1, 13]);
  });

  it("while its interface is cut or gone, until that is back", async () => {
    const { simulation, peer } = await connected();
    simulation.cut("eth0");
    peer.breakSubflows("10.0.1.2", "ETIMEDOUT");
    await simulation.advance(20_000);
    simulation.unplug("eth0");
    await simulation.advance(20_000);
    assert.deepEqual(peer.subflows, []);
    simulation.plug("eth0", ["10.0.1.2"]);
    await simulation.advance(60_000);
    assert.deepEqual(peer.subflows, [path]);
  });

  it("with all attempts, after a subflow that lived for a minute; with what is left, after a shorter one", async () => {
    for (const [lived, attempts] of [
      [61_000, 3],
      [30_000, 2],
    ] as const) {
      const { simulation, peer } = await connected({ options: { budget: "3" } });
      peer.breakSubflows("10.0.1.2");
      await simulation.advance(1100 + lived);
      assert.deepEqual(peer.subflows, [path]);
      const times = answerAll(simulation, "refuse");
      peer.breakSubflows("10.0.1.2");
      await simulation.advance(100_000);
      assert.equal(times.length, attempts);
    }
  });

  it("with what is left also where the minute of a former subflow ends meanwhile", async () => {
    const { simulation, peer } = await connected({ options: { delay: "20", budget: "3" } });
    peer.breakSubflows("10.0.1.2");
    await simulation.advance(50_000);
    assert.deepEqual(peer.subflows, [path]);
    const times = answerAll(simulation, "refuse");
    peer.breakSubflows("10.0.1.2");
    await simulation.advance(1_000_000);
    assert.deepEqual(times, [90, 150]);
  });

  it("once for several subflows of one path", async () => {
    const { simulation, peer, create } = await shared();
    await create({ from: "10.0.1.2" });
    const times = answerAll(simulation, "refuse");
    peer.breakSubflows("10.0.1.2");
    await simulation.advance(10_000);
    assert.deepEqual(times, [1, 3, 7]);
  });

  it("for each path by itself", async () => {
    const { simulation, peer } = await connected();
    peer.join({ from: "10.0.9.9", to: "10.0.2.2" });
    await simulation.settle();
    peer.breakSubflows("10.0.1.2");
    await simulation.advance(500);
    peer.breakSubflows("10.0.2.2");
    await simulation.advance(1100);
    assert.equal(peer.subflows.length, 2);
  });
});

describe("heal", () => {
  it("has nothing to heal after a restart or lost events, as nobody knows what was lost", async () => {
    const { simulation, peer } = await connected();
    await simulation.loseEvents(() => peer.breakSubflows("10.0.1.2"));
    await simulation.advance(10_000);
    const other = simulation.connect(client);
    await simulation.settle();
    other.breakSubflows("10.0.1.2");
    await simulation.settle();
    await simulation.restart();
    await simulation.advance(10_000);
    assert.deepEqual([peer.subflows, other.subflows, simulation.faults], [[], [], 0]);
  });

  it("refuses options that make no sense", async () => {
    const refused = (options: Record<string, string>, message: RegExp) =>
      assert.rejects(simulate(heal, { options }), { name: "OptionsError", message });
    await refused({ delay: "soon" }, /^options:0: delay: "soon" is not a number of seconds/);
    await refused({ delay: "0" }, /^options:0: delay: is too short: allowed are 0\.1 seconds and more/);
    await refused({ "longest-delay": "0.05" }, /longest-delay: is too short/);
    await refused({ budget: "0" }, /^options:0: budget: "0" is not a whole number from 1 to 1000$/);
    await refused(
      { longest: "5" },
      /longest is not a key of \[plugin heal\]: known are delay, longest-delay and budget/,
    );
  });
});
