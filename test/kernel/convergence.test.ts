import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseConfig } from "../../src/control/config/load.ts";
import { placeOf } from "../../src/control/network/network.ts";
import { readNetwork } from "../../src/control/network/read.ts";
import type { DesiredEndpoint } from "../../src/control/policy/decision.ts";
import { everyAddress } from "../../src/control/policy/input.ts";
import { decide, desiredEndpoints } from "../../src/control/policy/policy.ts";
import { type Endpoint, MptcpPm } from "../../src/kernel/mptcp-pm.ts";
import { openRtnetlink } from "../../src/kernel/rtnetlink.ts";
import { Lab } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { rounds } from "../lab/campaign.ts";
import { findCapacity } from "../lab/capacity.ts";
import { Machine } from "../lab/machine.ts";

const sequences = rounds(20, 200);
const interfaces = ["eth0", "eth1", "eth2"] as const;
type Interface = (typeof interfaces)[number];

/** More than old kernels have slots for, and few enough that the same one is often on two interfaces. */
const addresses = [
  ...[1, 2, 3, 4, 5, 6, 7].map((i) => `10.0.0.${i}/24`),
  ...[1, 2].map((i) => `2001:db8::${i}/64`),
  ...["fd00::1/64", "169.254.0.1/16"],
];

const config = `
[core]
removal-delay=0.05
[path bypass]
match-address=10.0.0.7
bypass-tunnel=yes
[path best]
match-interface=eth2
priority=-1
max=2
flags=subflow,backup
[path others]
`;

/** A change of the network: a line for `ip`, where the kernel may refuse it, or one of the cables' and the lab's. */
type Change = { ip: string } | { cable: "cut" | "restored" | "replaced"; device: Interface };

const device = fc.constantFrom(...interfaces);
const address = fc.constantFrom(...addresses);

/** Weighted so that most sequences end with links that are up and several endpoints, some with none. */
const change = fc.oneof(
  weighted(40, fc.tuple(address, device), ([a, d]) => ip(`addr add ${a} dev ${d}`)),
  weighted(8, fc.tuple(address, device), ([a, d]) => ip(`addr del ${a} dev ${d}`)),
  weighted(3, fc.tuple(address, device, lifetime()), ([a, d, l]) => ip(`addr change ${a} dev ${d} ${l}`)),
  weighted(1, device, (d) => ip(`addr flush dev ${d}`)),
  weighted(3, device, (d) => ip(`link set ${d} down`)),
  weighted(8, device, (d) => ip(`link set ${d} up`)),
  weighted(2, device, (d) => ip(`link set ${d} master br0`)),
  weighted(5, device, (d) => ip(`link set ${d} nomaster`)),
  weighted(4, fc.tuple(verb(), fc.nat(3), device), ([v, m, d]) =>
    ip(`route ${v} default dev ${d} metric ${m}`),
  ),
  weighted(2, tunnelRoute(), (prefix) => ip(`route add ${prefix} dev vpn0`)),
  weighted(5, tunnelRoute(), (prefix) => ip(`route del ${prefix} dev vpn0`)),
  weighted(1, fc.constantFrom("up", "down"), (state) => ip(`link set vpn0 ${state}`)),
  weighted(2, device, (d) => ({ cable: "cut", device: d })),
  weighted(5, device, (d) => ({ cable: "restored", device: d })),
  weighted(2, device, (d) => ({ cable: "replaced", device: d })),
);

/** Bursts: the daemon has its chance between one and the next. */
const bursts = fc.array(fc.array(change, { minLength: 1, maxLength: 25 }), { minLength: 1, maxLength: 6 });

describe("convergence", { skip: requires() }, () => {
  it(`${sequences} random sequences of changes end in what the policy gives for the network as it is then`, async (t) => {
    const { MPTCPD_TEST_SEED: chosen } = process.env;
    const seed = chosen === undefined ? Date.now() % 0x7fffffff : Number(chosen);
    t.diagnostic(`MPTCPD_TEST_SEED=${seed}`);
    const world = await World.create(t);
    await fc.assert(
      fc.asyncProperty(bursts, async (sequence) => {
        await world.reset();
        for (const burst of sequence) await world.apply(burst);
        await world.converges();
      }),
      // No search for a smaller sequence: each attempt would take seconds.
      { seed, numRuns: sequences, endOnFailure: true },
    );
  });
});

/** This process' own network namespace, with a daemon in it: so the test can read it with the daemon's own code. */
class World {
  readonly #machine: Machine;
  readonly #rtnetlink = openRtnetlink();
  readonly #pm: MptcpPm;
  readonly #capacity: number;

  static async create(t: { after(callback: () => Promise<void>): void }): Promise<World> {
    const capacity = await findCapacity();
    const lab = await Lab.create(t);
    const machine = new Machine(lab, await lab.here());
    await machine.start({ config });
    const world = new World(machine, await MptcpPm.open(), capacity);
    t.after(async () => world.#close());
    // A user may not be allowed to open /dev/net/tun: then there is no tunnel among the changes.
    await machine.host.ipBatchTry(["tuntap add dev vpn0 mode tun", "link add br0 type bridge"]);
    for (const name of interfaces) await machine.plug(name);
    return world;
  }

  private constructor(machine: Machine, pm: MptcpPm, capacity: number) {
    this.#machine = machine;
    this.#pm = pm;
    this.#capacity = capacity;
  }

  /** Everything up, connected, and without addresses and routes. */
  async reset(): Promise<void> {
    for (const name of interfaces) await this.#machine.cable(name).restore();
    await this.#machine.host.ipBatchTry([
      ...interfaces.flatMap((name) => [`link set ${name} nomaster`, `addr flush dev ${name}`]),
      ...interfaces.flatMap((name) => [`route flush dev ${name}`, `link set ${name} up`]),
      ...["route flush dev vpn0", "link set vpn0 up"],
    ]);
    await this.#machine.hasEndpointsAt([]);
  }

  async apply(burst: readonly Change[]): Promise<void> {
    let lines: string[] = [];
    const flush = async () => {
      if (lines.length > 0) await this.#machine.host.ipBatchTry(lines);
      lines = [];
    };
    for (const step of burst) {
      if ("ip" in step) lines.push(step.ip);
      else {
        await flush();
        await this.#handle(step.device, step.cable);
      }
    }
    await flush();
  }

  /** Waits until the kernel's endpoints are what the policy wants, given the network and them. */
  async converges(): Promise<void> {
    await this.#machine.eventually("the policy's endpoints", async () => {
      const endpoints = await this.#pm.dumpEndpoints();
      assert.deepEqual(endpoints.map(describeEndpoint).sort(), (await this.#wanted(endpoints)).sort());
    });
  }

  async #wanted(endpoints: readonly Endpoint[]): Promise<string[]> {
    const { network } = await readNetwork(this.#rtnetlink);
    const { config: settings } = parseConfig(Buffer.from(config), { file: "test" });
    const decisions = decide({
      network,
      config: settings,
      wanted: everyAddress,
      capacity: this.#capacity,
      current: endpoints.map((endpoint) => ({ endpoint, ours: true })),
      removalDelay: settings.removalDelay,
      // Every removal delay is over when all is quiet.
      expired: new Set(endpoints.map(placeOf)),
    });
    return desiredEndpoints(decisions).map(describeEndpoint);
  }

  async #handle(name: Interface, what: "cut" | "restored" | "replaced"): Promise<void> {
    if (what === "cut") await this.#machine.cable(name).cut();
    else if (what === "restored") await this.#machine.cable(name).restore();
    else {
      await this.#machine.ip(`link delete ${name}`);
      await this.#machine.plug(name);
    }
  }

  #close(): void {
    this.#rtnetlink.close();
    this.#pm.close();
  }
}

function ip(line: string): Change {
  return { ip: line };
}

function weighted<Value>(weight: number, arbitrary: fc.Arbitrary<Value>, toChange: (value: Value) => Change) {
  return { weight, arbitrary: arbitrary.map(toChange) };
}

function tunnelRoute() {
  return fc.constantFrom("0.0.0.0/1", "128.0.0.0/1", "default");
}

function verb() {
  return fc.constantFrom("add", "del");
}

function lifetime() {
  return fc.constantFrom("valid_lft 600 preferred_lft 0", "valid_lft forever preferred_lft forever");
}

function describeEndpoint({ address: text, ifIndex, port, flags }: DesiredEndpoint): string {
  return `${text} dev ${ifIndex} port ${port} ${flags}`;
}
