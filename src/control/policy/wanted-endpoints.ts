import type { EndpointFlag } from "../../kernel/mptcp-pm.ts";
import type { Bits } from "../../kernel/netlink/bits.ts";
import { placeOf } from "../network/network.ts";
import type { HostAddress } from "./eligibility.ts";

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
