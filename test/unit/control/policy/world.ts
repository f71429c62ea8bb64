import { defaultConfig, type PathRule } from "../../../../src/control/config/config.ts";
import type { Network } from "../../../../src/control/network/network.ts";
import type { CurrentEndpoint, Decision } from "../../../../src/control/policy/decision.ts";
import { everyAddress, type PolicyInput } from "../../../../src/control/policy/input.ts";
import { decide } from "../../../../src/control/policy/policy.ts";
import { type Address, type AddressFlag, addressFlags } from "../../../../src/kernel/addresses.ts";
import { type Link, type LinkFlag, linkFlags } from "../../../../src/kernel/links.ts";
import { type Endpoint, type EndpointFlag, endpointFlags } from "../../../../src/kernel/mptcp-pm.ts";
import { ipFamily } from "../../../../src/kernel/netlink/ip.ts";
import type { Route } from "../../../../src/kernel/routes.ts";

/** An interface in a few words; what is not said is as on a plain Ethernet interface that is up. */
export type LinkSketch = Partial<Omit<Link, "name" | "flags">> & {
  readonly flags?: readonly LinkFlag[];
  readonly addresses?: readonly (string | AddressSketch)[];
  readonly defaultRoute?: boolean;
  /** Of the default route, which is one of IPv4 alone then. */
  readonly gateway?: string;
};

export type AddressSketch = Partial<Omit<Address, "flags">> & {
  readonly address: string;
  readonly flags?: readonly AddressFlag[];
};

/** A network from sketches: interfaces get their index, and addresses their age, by their order. */
export function networkOf(
  sketches: Readonly<Record<string, LinkSketch>>,
  egress: readonly string[] = [],
): Network {
  const links = new Map<number, Link>();
  const addresses: Address[] = [];
  const defaultRoutes: Route[] = [];
  for (const [name, sketch] of Object.entries(sketches)) {
    const {
      addresses: given = [],
      defaultRoute = false,
      gateway,
      flags = ["up", "running"],
      ...rest
    } = sketch;
    const index = links.size + 2;
    links.set(index, {
      index,
      name,
      altNames: [],
      type: 1,
      operState: "up",
      master: 0,
      ...rest,
      flags: linkFlags.of(...flags),
    });
    for (const address of given) addresses.push(addressOf(address, index, addresses.length));
    if (defaultRoute) defaultRoutes.push(defaultRouteOf(index, 4, gateway));
    if (defaultRoute && gateway === undefined) defaultRoutes.push(defaultRouteOf(index, 6));
  }
  const indexOf = (name: string): number =>
    [...links.values()].find((link) => link.name === name)?.index ?? 0;
  const ways = egress.flatMap((name) =>
    ([4, 6] as const).map((family) => ({ family, ifIndex: indexOf(name) })),
  );
  return { links, addresses, defaultRoutes, egress: ways, formerNames: new Map() };
}

function addressOf(sketch: string | AddressSketch, ifIndex: number, created: number): Address {
  const { flags = [], ...rest } = typeof sketch === "string" ? { address: sketch } : sketch;
  return {
    ifIndex,
    family: ipFamily(rest.address),
    prefixLength: ipFamily(rest.address) === 4 ? 24 : 64,
    scope: 0,
    created,
    validLifetime: Number.POSITIVE_INFINITY,
    preferredLifetime: Number.POSITIVE_INFINITY,
    ...rest,
    flags: addressFlags.of(...flags),
  };
}

function defaultRouteOf(ifIndex: number, family: 4 | 6, gateway?: string): Route {
  const hops = [{ ifIndex, weight: 1, ...(gateway !== undefined && { gateway }) }];
  return {
    family,
    destination: undefined,
    prefixLength: 0,
    table: 254,
    type: 1,
    scope: 0,
    protocol: 3,
    metric: 0,
    hops,
  };
}

/** The policy's other inputs: one default configuration, a kernel with room, nothing there yet. */
export function inputOf(network: Network, changes: Partial<PolicyInput> = {}): PolicyInput {
  const { config = { ...defaultConfig, paths: [] } } = changes;
  return {
    network,
    config,
    wanted: everyAddress,
    capacity: 255,
    current: [],
    removalDelay: 2000,
    expired: new Set(),
    ...changes,
  };
}

export function ruleOf(changes: Partial<PathRule> & { readonly name: string }): PathRule {
  return {
    source: "test:1",
    matchInterface: undefined,
    matchKind: undefined,
    matchAddress: undefined,
    ignore: false,
    flags: undefined,
    priority: 0,
    max: undefined,
    port: undefined,
    bypassTunnel: false,
    ...changes,
  };
}

export function endpointOf(
  changes: Partial<Omit<Endpoint, "flags">> & {
    readonly address: string;
    readonly flags?: readonly EndpointFlag[];
  },
): Endpoint {
  const { flags = ["subflow"], ...rest } = changes;
  return { id: 1, port: 0, ifIndex: 2, ...rest, flags: endpointFlags.of(...flags) };
}

export function ours(...endpoints: readonly Endpoint[]): CurrentEndpoint[] {
  return endpoints.map((endpoint) => ({ endpoint, ours: true }));
}

export function foreign(...endpoints: readonly Endpoint[]): CurrentEndpoint[] {
  return endpoints.map((endpoint) => ({ endpoint, ours: false }));
}

/** Lets the kernel have what the policy wants, until it wants nothing else: the state that a daemon settles in. */
export function settle(input: PolicyInput): {
  readonly decisions: Decision[];
  readonly current: CurrentEndpoint[];
} {
  let current = input.current;
  for (let round = 0; round < 10; round++) {
    const decisions = decide({ ...input, current });
    const next = follow(decisions, current);
    if (
      next.length === current.length &&
      next.every(({ endpoint }, i) => endpoint.address === current[i]?.endpoint.address)
    )
      return { decisions, current: [...next] };
    current = next;
  }
  throw new Error("the policy does not settle");
}

function follow(decisions: readonly Decision[], current: readonly CurrentEndpoint[]): CurrentEndpoint[] {
  const others = current.filter((entry) => !entry.ours);
  const wanted = decisions.flatMap(({ endpoint }) => endpoint ?? []);
  const sorted = wanted.toSorted((a, b) => (a.address < b.address ? -1 : 1));
  return [...others, ...ours(...sorted.map((endpoint, index) => ({ ...endpoint, id: index + 1 })))];
}
