import type { ConnectionOutline, SubflowOutline } from "../../kernel/sockets.ts";
import { isInitial } from "./from-sock-diag.ts";

/**
 * The subflows that connections would lose with each local address. Connections that became plain TCP are not counted:
 * the kernel does not close them with an endpoint.
 */
export function addressLoads(
  outlines: readonly ConnectionOutline[],
): Map<string, { readonly only: number; readonly initial: number }> {
  const loads = new Map<string, { only: number; initial: number }>();
  for (const { subflows } of outlines.filter(isInUse)) {
    const carrying = subflows.filter(carriesData);
    const addresses = new Set(carrying.map(({ local }) => local.address));
    for (const address of addresses) {
      const load = loads.get(address) ?? { only: 0, initial: 0 };
      if (addresses.size === 1) load.only++;
      if (carrying.some((subflow) => isInitial(subflow) && subflow.local.address === address)) load.initial++;
      loads.set(address, load);
    }
  }
  return loads;
}

/** Not one that its program has closed and the peer has acknowledged as a whole: it waits for the peer's end alone. */
function isInUse({ fallback, inode, state }: ConnectionOutline): boolean {
  return !fallback && !(inode === 0 && state === "fin-wait-2");
}

/** One that has sent its FIN may have data on its way, or receive. */
function carriesData({ state }: SubflowOutline): boolean {
  return state !== "syn-sent" && state !== "syn-recv";
}
