import type { Announcements } from "../connections/announcements.ts";
import type { Subflows } from "../connections/subflows.ts";
import type { ConnectionTable } from "../connections/table.ts";
import type { Clock } from "../endpoints/clock.ts";
import type { MptcpPm } from "../kernel/mptcp-pm.ts";
import type { Logger } from "../log/log.ts";
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
}

export type EndpointCommands = Pick<
  MptcpPm,
  | "dumpEndpoints"
  | "getEndpoint"
  | "addEndpoint"
  | "changeEndpoint"
  | "deleteEndpoint"
  | "flushEndpoints"
  | "getLimits"
  | "setLimits"
>;
