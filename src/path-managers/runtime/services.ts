import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log/log.ts";
import type { Announcements } from "../../control/connections/announcements.ts";
import type { Subflows } from "../../control/connections/subflows.ts";
import type { ConnectionTable } from "../../control/connections/table.ts";
import type { EndpointFlag, MptcpPm } from "../../kernel/mptcp-pm.ts";
import type { Bits } from "../../kernel/netlink/bits.ts";
import type { NetworkView } from "./network-view.ts";

/** What path managers are served with: the real kernel's, or the simulation's. */
export interface Services {
  readonly log: Logger;
  readonly clock: Clock;
  /** For deadlines: see RunningClock. */
  readonly patience: Clock;
  readonly network: () => NetworkView;
  readonly table: ConnectionTable;
  readonly subflows: Subflows;
  readonly announcements: Announcements;
  readonly kernel: EndpointCommands;
  /** Milliseconds that what goes from an address outlives it. */
  readonly removalDelay: number;
}

/**
 * Endpoints as path managers may change them: EPERM for those that neither mptcpd nor a path manager has made. Nobody deletes
 * past this; the kernel itself looks at no more than an id.
 */
export interface EndpointCommands
  extends Pick<MptcpPm, "addEndpoint" | "flushEndpoints" | "getLimits" | "setLimits"> {
  dumpEndpoints(): ReturnType<MptcpPm["dumpEndpoints"]>;
  getEndpoint(id: number): ReturnType<MptcpPm["getEndpoint"]>;
  changeEndpoint(change: { readonly id: number; readonly flags: Bits<EndpointFlag> }): Promise<void>;
  removeEndpoint(id: number): Promise<void>;
  /** Deletes the endpoint of an address and adds it again. */
  renewEndpoint(address: string): Promise<void>;
}
