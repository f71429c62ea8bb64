import type { Host, LabLimits } from "../../src/lab/kit/host.ts";
import { outcome } from "./mptcpctl.ts";

/** The largest limits that the kernel takes: 8, and 64 from Linux 7.3 on. It names them when it refuses more. */
export async function largestLimits(host: Host): Promise<LabLimits> {
  const { stderr } = await outcome(host.ip("mptcp limits set subflows 1000"));
  const most = Number(/maximum \((\d+)\)/.exec(stderr)?.[1] ?? 8);
  return { subflows: most, addAddrAccepted: most };
}
