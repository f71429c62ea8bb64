import type { EndpointFlag } from "../../kernel/mptcp-pm.ts";
import type { Bits } from "../../kernel/netlink/bits.ts";
import type { Refusal } from "./refused-endpoints.ts";

/** An endpoint that the kernel should have; its id is chosen when it is added. */
export interface DesiredEndpoint {
  readonly address: string;
  /** 0: none. */
  readonly port: number;
  readonly flags: Bits<EndpointFlag>;
  readonly ifIndex: number;
}

/**
 * What becomes of an address:
 * - `endpoint`: it should be one;
 * - `held`: it is one and no longer should be, but its connections are given time;
 * - `served`: an endpoint that somebody else made has it;
 * - `waiting`: it would be one if there were room;
 * - `unusable`: it should not be one;
 * - `refused`: the kernel does not do what was decided, and mptcpd tries again.
 */
export type Outcome = "endpoint" | "held" | "served" | "waiting" | "unusable" | "refused";

/** Why, for programs; the decision's `reason` says the same for people. */
export type ReasonCode =
  | "usable"
  | "loopback"
  | "multicast"
  | "link-local"
  | "unspecified"
  | "scope"
  | "tentative"
  | "dad-failed"
  | "deprecated"
  | "temporary"
  | "link-down"
  | "no-carrier"
  | "enslaved"
  | "ignored"
  | "guests"
  | "not-wanted"
  | "no-default-route"
  | "bypasses-tunnel"
  | "foreign-endpoint"
  | "same-address"
  | "over-maximum"
  | "no-slot"
  | "address-gone"
  | "interface-gone"
  | "refused";

/** The verdict over one address of one interface. */
export interface Decision {
  readonly address: string;
  readonly ifIndex: number;
  readonly interfaceName: string;
  readonly outcome: Outcome;
  readonly code: ReasonCode;
  readonly reason: string;
  /** Set for the outcomes `endpoint` and `held`. */
  readonly endpoint: DesiredEndpoint | undefined;
  /** Among those that contend for the kernel's slots: 1 is the best. Absent where it does not contend. */
  readonly rank?: number | undefined;
  /** Set for the outcome `refused`. */
  readonly refusal?: Refusal | undefined;
}
