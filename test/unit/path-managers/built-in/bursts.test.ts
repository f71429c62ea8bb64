import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { endpointFlags } from "../../../../src/kernel/mptcp-pm.ts";
import { builtIn } from "../../../../src/path-managers/built-in/index.ts";
import type { PathManagerDefinition } from "../../../../src/path-managers/runtime/api.ts";
import type { SimulatedPeer } from "../../../../src/path-managers/simulation/peer.ts";
import { type Simulation, simulate } from "../../../../src/path-managers/simulation/simulation.ts";
import type { CommandGiven, GivenCommand } from "../../../../src/path-managers/simulation/watched-kernel.ts";
import { rounds } from "../../../lab/campaign.ts";

const places = { eth0: "10.0.1.2", eth1: "10.0.2.2", eth2: "10.0.3.2" } as const;
const names = ["eth0", "eth1", "eth2"] as const;
const peers = ["10.0.9.9", "10.0.9.10"] as const;
/** Milliseconds. */
const WINDOW = 1000;
/**
 * Commands of one kind for one object in a window in which nothing happens: one that is refused for its id is tried
 * thrice.
 */
const MOST = 3;
/** Commands of one kind for one object from when nothing happens any more: the attempts of heal. */
const MOST_IN_ALL = 12;

/** What happens in the world; each takes no time but `wait`. */
const happening = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("wait"), milliseconds: fc.integer({ min: 1, max: 4000 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("connect"),
      count: fc.constantFrom(1, 20),
      serverSide: fc.boolean(),
      by: fc.constantFrom("kernel", "userspace"),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom("break", "join"), name: fc.constantFrom(...names) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom("flap", "readdress"), name: fc.constantFrom(...names) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("announce", "lose", "restart") }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("answer"),
      answer: fc.constantFrom("accept", "refuse", "silence"),
    }),
  },
);
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

class World {
  readonly simulation: Simulation;
  readonly times: number[] = [];
  readonly #open: SimulatedPeer[] = [];

  static async of(definition: PathManagerDefinition): Promise<World> {
    const simulation = await simulate(definition, {
      interfaces: Object.fromEntries(names.map((name) => [name, [places[name]]])),
    });
    for (const [index, name] of names.entries()) {
      const flags = endpointFlags.of("subflow");
      await simulation.endpoints.addEndpoint({ address: places[name], id: index + 1, flags });
      if (name !== "eth2") await simulation.adoptEndpoint(index + 1);
    }
    return new World(simulation);
  }

  private constructor(simulation: Simulation) {
    this.simulation = simulation;
  }

  async happen(what: Happening): Promise<void> {
    const { simulation } = this;
    if ("milliseconds" in what) return await simulation.advance(what.milliseconds);
    this.times.push(simulation.now);
    if ("count" in what) for (let n = 0; n < what.count; n++) this.#connect(what.serverSide, what.by);
    else if ("answer" in what)
      simulation.answer = () =>
        what.answer === "accept" ? "accept" : what.answer === "refuse" ? "refuse" : "silence";
    else if ("name" in what) this.#change(what.kind, what.name);
    else if (what.kind === "announce") for (const peer of this.#open) peer.announce(4, peers[1]);
    else if (what.kind === "restart") await simulation.restart();
    else await simulation.loseEvents(() => this.#change("break", "eth1"));
  }

  #connect(serverSide: boolean, by: string): void {
    const [here, there] = [places.eth0, peers[0]];
    const ends = serverSide ? { from: there, to: here } : { from: here, to: there };
    const pathManager = by === "kernel" ? "kernel" : "userspace";
    const peer = this.simulation.connect({ ...ends, pathManager });
    if (pathManager === "kernel") for (const to of [places.eth1, places.eth2]) peer.join({ from: there, to });
    this.#open.push(peer);
  }

  #change(kind: string, name: (typeof names)[number]): void {
    const { simulation } = this;
    const address = places[name];
    const isThere = (peer: SimulatedPeer): boolean =>
      peer.subflows.some((text) => text.startsWith(`${address} `));
    if (kind === "break") for (const peer of this.#open.filter(isThere)) peer.breakSubflows(address);
    else if (kind === "join") for (const peer of this.#open) peer.join({ from: peers[0], to: address });
    else if (kind === "flap") {
      simulation.cut(name);
      simulation.restore(name);
    } else {
      simulation.removeAddress(name, address);
      simulation.addAddress(name, address);
    }
  }
}

/** What a command is for: of the same, many in a short time are a burst. */
function objectOf(command: GivenCommand): string {
  if ("token" in command) {
    const remote = "remote" in command ? ` > ${command.remote.address} ${command.remote.port}` : "";
    const local = "local" in command ? command.local.address : command.id;
    return `${command.name} ${command.token} ${local}${remote}`;
  }
  if (command.name === "endpoint add") return `${command.name} ${command.endpoint.address}`;
  if (command.name === "endpoint renew") return `${command.name} ${command.address}`;
  return "id" in command ? `${command.name} ${command.id}` : command.name;
}

function byObject(commands: readonly CommandGiven[]): Map<string, CommandGiven[]> {
  const objects = new Map<string, CommandGiven[]>();
  for (const given of commands) {
    const object = objectOf(given.command);
    objects.set(object, [...(objects.get(object) ?? []), given]);
  }
  return objects;
}

/** Fails where an object has more commands in a window than what happened there explains. */
function requireNoBurst(commands: readonly CommandGiven[], times: readonly number[]): void {
  for (const [object, own] of byObject(commands))
    for (const [index, { at }] of own.entries()) {
      const inWindow = own.slice(index).filter((other) => other.at < at + WINDOW).length;
      const happened = times.filter((time) => time > at - WINDOW && time < at + WINDOW).length;
      assert.ok(inWindow <= MOST + happened, `${inWindow} times in a second: ${object}, from ${at} ms`);
    }
}

describe("no sequence of events makes a burst of commands of", () => {
  for (const definition of builtIn.values())
    it(definition.name, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(happening, { minLength: 5, maxLength: 25 }), async (all) => {
          const world = await World.of(definition);
          const { simulation } = world;
          for (const what of all) await world.happen(what);
          const quiet = simulation.now;
          await simulation.advance(600_000);
          requireNoBurst(simulation.commands, world.times);
          const later = simulation.commands.filter(({ at }) => at > quiet);
          for (const [object, own] of byObject(later))
            assert.ok(own.length <= MOST_IN_ALL, `${own.length} times though nothing happens: ${object}`);
          assert.equal(simulation.faults, 0);
          simulation.stop();
        }),
        { numRuns: rounds(20, 200) },
      );
    });
});
