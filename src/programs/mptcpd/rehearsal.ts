import { emptyNetwork } from "../../control/network/network.ts";
import { readNetworkOnce } from "../../control/network/read.ts";
import { MptcpPm } from "../../kernel/mptcp-pm.ts";
import type { Rehearse } from "../../path-managers/runtime/run-in-thread.ts";
import { rehearse, type Stage } from "../../path-managers/simulation/rehearsal.ts";

/**
 * Sets path managers up on a simulated copy of this host. The copy lacks the parts of the host that cannot be read, for
 * example in a build whose kernel has no MPTCP.
 */
export const rehearseHere: Rehearse = async (plugins, surroundings) => {
  if (plugins.length === 0) return [];
  const network = await readOr(emptyNetwork, readNetworkOnce);
  const kernel = await readOr({ endpoints: [], limits: undefined }, readEndpoints);
  return await rehearse(plugins, { ...surroundings, ...kernel, network });
};

async function readOr<T>(otherwise: T, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch {
    return otherwise;
  }
}

async function readEndpoints(): Promise<Pick<Stage, "endpoints" | "limits">> {
  const pm = await MptcpPm.open();
  try {
    return { endpoints: await pm.dumpEndpoints(), limits: await pm.getLimits() };
  } finally {
    pm.close();
  }
}
