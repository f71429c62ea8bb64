import { remember } from "../../base/remember.ts";
import type { Endpoint, EndpointFlag } from "../../kernel/mptcp-pm.ts";
import type { Bits } from "../../kernel/netlink/bits.ts";
import { type Network, placeOf } from "../network/network.ts";
import type { CurrentEndpoint } from "./decision.ts";
import type { HostAddress, PolicyConfig } from "./host-addresses.ts";

/** Everything that the policy looks at. */
export interface PolicyInput {
  readonly network: Network;
  readonly config: PolicyConfig;
  /** The wanted endpoints: the default, or those that the path manager in charge of endpoints asks for. */
  readonly wanted: Wanted;
  /** How many endpoints the kernel holds at most. */
  readonly capacity: number;
  /** Every endpoint that the kernel has now. */
  readonly current: readonly CurrentEndpoint[];
  /** Milliseconds that an endpoint outlives its address or link; 0: it is always deleted at once. */
  readonly removalDelay: number;
  /** The places (`placeOf`) of endpoints of ours whose removal delay is over. */
  readonly expired: ReadonlySet<string>;
}

/** An endpoint of ours, and where it lives. */
export interface OwnEndpoint {
  readonly endpoint: Endpoint;
  readonly ifIndex: number;
  /** As a key: `placeOf`. */
  readonly place: string;
}

export function ownEndpoints({ current, network }: PolicyInput): OwnEndpoint[] {
  const own: OwnEndpoint[] = [];
  for (const { endpoint, ours } of current) {
    if (!ours) continue;
    const ifIndex = homeOf(network, endpoint);
    own.push({ endpoint, ifIndex, place: placeOf({ address: endpoint.address, ifIndex }) });
  }
  return own;
}

/** An adopted endpoint may be bound to no device; then it lives on the interface that has its address. */
function homeOf(network: Network, endpoint: Endpoint): number {
  if (endpoint.ifIndex !== 0) return endpoint.ifIndex;
  return network.addresses.find(({ address }) => address === endpoint.address)?.ifIndex ?? 0;
}

/** An address of an interface that a path manager wants to be an endpoint, and how. */
export interface WantedEndpoint {
  readonly address: string;
  readonly ifIndex: number;
  readonly flags: Bits<EndpointFlag>;
  /** 0: none. */
  readonly port: number;
  /** Lower first, if there are more addresses than slots. */
  readonly priority: number;
}

/** By default every usable address is an endpoint, with the flags of its [path] section or `addr-flags`. */
export const everyAddress = "every-address";
export type Wanted = typeof everyAddress | WantedEndpoints;

export interface WantedEndpoints {
  /** The path manager's name. */
  readonly by: string;
  readonly endpoints: readonly WantedEndpoint[];
}

/** How an address is wanted, and why it should not be an endpoint. */
export type Wish = Pick<HostAddress, "flags" | "port" | "priority" | "reason">;

/** Says of each address how it is wanted. */
export function wantedIn(wanted: Wanted): (host: HostAddress) => Wish {
  return wanted === everyAddress ? itself : wishesOf(wanted, undefined);
}

function itself(host: HostAddress): Wish {
  return host;
}

const wishesOf = remember(({ by, endpoints }: WantedEndpoints) => {
  const places = new Map(endpoints.map((one) => [placeOf(one), one]));
  const notWanted = { code: "not-wanted", text: `${by} does not want it` } as const;
  return (host: HostAddress): Wish => {
    const { flags, port, priority } = places.get(host.place) ?? host;
    return { flags, port, priority, reason: host.reason ?? (places.has(host.place) ? undefined : notWanted) };
  };
});
