import type { Endpoint, EndpointFlag } from "../../kernel/mptcp-pm.ts";
import type { Bits } from "../../kernel/netlink/bits.ts";
import { type Network, placeOf } from "../network/network.ts";
import type { CurrentEndpoint, DesiredEndpoint } from "./decision.ts";
import type { HostAddress, PolicyConfig } from "./host-addresses.ts";

/** All that the policy looks at. */
export interface PolicyInput {
  readonly network: Network;
  readonly config: PolicyConfig;
  /** What is wanted of this network: the default, or what the path manager in charge of endpoints says. */
  readonly wanted: Wanted;
  /** How many endpoints the kernel holds at most. */
  readonly capacity: number;
  /** Every endpoint that the kernel has now. */
  readonly current: readonly CurrentEndpoint[];
  /** Milliseconds that an endpoint outlives its address or link; 0: it goes at once in every case. */
  readonly removalDelay: number;
  /** The places (`placeOf`) of endpoints of ours whose removal delay is over. */
  readonly expired: ReadonlySet<string>;
}

/** Where an endpoint lives. One that is bound to no device (it was adopted) lives where its address is. */
export function homeOf(network: Network, endpoint: Endpoint): number {
  if (endpoint.ifIndex !== 0) return endpoint.ifIndex;
  return network.addresses.find(({ address }) => address === endpoint.address)?.ifIndex ?? 0;
}

/**
 * The endpoint of somebody else's that has an address. The kernel tells endpoints apart by address, and by
 * port where one is set; an implicit one it replaces by itself (net/mptcp/pm_kernel.c,
 * mptcp_pm_nl_append_new_local_addr).
 */
export function foreignServing(
  current: readonly CurrentEndpoint[],
  desired: Pick<DesiredEndpoint, "address" | "port">,
): Endpoint | undefined {
  return current.find(
    ({ endpoint, ours }) =>
      !ours &&
      !endpoint.flags.has("implicit") &&
      endpoint.address === desired.address &&
      endpoint.port === desired.port,
  )?.endpoint;
}

/** An address of an interface that a path manager wants to be an endpoint, and how. */
export interface WantedEndpoint {
  readonly address: string;
  readonly ifIndex: number;
  readonly flags: Bits<EndpointFlag>;
  /** 0: none. */
  readonly port: number;
  /** Lower first, where there are more than slots. */
  readonly priority: number;
}

/** By default every address that can be an endpoint is one, as its [path] section and `addr-flags` have it. */
export const everyAddress = "every-address";
export type Wanted = typeof everyAddress | WantedEndpoints;

export interface WantedEndpoints {
  /** The path manager's name. */
  readonly by: string;
  readonly endpoints: readonly WantedEndpoint[];
}

/** Says of each address how it is wanted, and why it is to be no endpoint. */
export function wantedIn(
  wanted: Wanted,
): (host: HostAddress) => Pick<HostAddress, "flags" | "port" | "priority" | "reason"> {
  if (wanted === everyAddress) return (host) => host;
  const { by, endpoints } = wanted;
  const places = new Map(endpoints.map((one) => [placeOf(one), one]));
  const reason = { code: "not-wanted", text: `${by} does not want it` } as const;
  return (host) => {
    const { flags, port, priority } = places.get(placeOf(host)) ?? host;
    return { flags, port, priority, reason: host.reason ?? (places.has(placeOf(host)) ? undefined : reason) };
  };
}
