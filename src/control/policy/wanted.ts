import type { EndpointFlag } from "../../kernel/mptcp-pm.ts";
import type { Bits } from "../../kernel/netlink/bits.ts";

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

export interface WantedEndpoints {
  /** The path manager's name. */
  readonly by: string;
  readonly endpoints: readonly WantedEndpoint[];
}
