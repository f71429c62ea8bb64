import type { PathManagerDefinition } from "./api.ts";
import type { Responsibility } from "./messages.ts";

/**
 * The path manager that does what mptcpd does by itself: where it is in charge, the policy decides without asking it.
 */
export const DEFAULT_PATH_MANAGER = "addr_adv";

/**
 * Who decides what: over connections those that are named, or else the first; over endpoints the first that wants any,
 * of those in charge of connections if one of these does.
 *
 * @param pathManagers in the order of their priority
 * @param named by `path-manager`
 */
export function responsibilityOf(
  pathManagers: readonly PathManagerDefinition[],
  named: readonly string[],
): Responsibility {
  const chosen = pathManagers.filter(({ name }) => named.includes(name));
  const connections = chosen.length > 0 ? chosen : pathManagers.slice(0, 1);
  const wantsEndpoints = ({ endpoints }: PathManagerDefinition): boolean => endpoints !== undefined;
  return {
    connections: connections.map(({ name }) => name),
    needs: needsOf(connections),
    endpoints: (connections.find(wantsEndpoints) ?? pathManagers.find(wantsEndpoints))?.name,
  };
}

/** Lower numbers first; of equal ones, who was loaded first. */
export function byPriority<T extends { readonly definition: PathManagerDefinition }>(
  pathManagers: readonly T[],
): T[] {
  return pathManagers.toSorted(
    ({ definition: { priority: a = 0 } }, { definition: { priority: b = 0 } }) => a - b,
  );
}

/** The kernel's path manager takes no commands for single connections, so whoever gives any has its way. */
function needsOf(pathManagers: readonly PathManagerDefinition[]): Responsibility["needs"] {
  const all = pathManagers.map(({ needs, setup }) => needs ?? (setup === undefined ? "kernel" : "userspace"));
  if (all.includes("userspace")) return "userspace";
  return all.includes("kernel") ? "kernel" : "any";
}
