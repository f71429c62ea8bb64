import type { DropInContent } from "./drop-in.ts";

/** What `enable` writes for a unit. What depends on the place is added by who writes. */
export type Plan = Omit<DropInContent, "unit" | "createdDirectory"> & {
  /** For people: what they should know of it. */
  readonly notes: readonly string[];
};

/** SocketProtocol=mptcp came with it (systemd.socket(5)). */
export const versionWithSocketProtocol = 257;
