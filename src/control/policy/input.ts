import type { Endpoint } from "../../kernel/mptcp-pm.ts";
import type { Network } from "../network/network.ts";
import type { DesiredEndpoint } from "./decision.ts";
import type { PolicyConfig } from "./eligibility.ts";
import type { Wanted } from "./wanted-endpoints.ts";

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

export interface CurrentEndpoint {
  readonly endpoint: Endpoint;
  readonly ours: boolean;
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
