/**
 * What commands of path managers are refused for. Arguments are looked at once, before the kernel or the simulation is
 * asked, for modules and programs alike: TypeScript's types do not say how large a number may be, and JavaScript has
 * none. What the kernel or the peer refuses is no fault of who asks.
 */

import { messageOf } from "../../base/errors.ts";
import type { Level } from "../../base/log/log.ts";
import { ConnectionError, isConnectionClosed } from "../../control/connections/connection.ts";
import { type EndpointFlag, endpointFlags } from "../../kernel/mptcp-pm.ts";
import { SystemError } from "../../kernel/netlink/addon.ts";
import { NetlinkError } from "../../kernel/netlink/errors.ts";
import { canonicalIp } from "../../kernel/netlink/ip.ts";
import type { PathManager } from "./api.ts";
import { guarded } from "./describe-error.ts";

/** Completes "cannot …", for an error. */
export type What = () => string;

/** The one text of an IP address. Throws EINVAL, as each of the next. */
export function addressOf(what: What, given: string): string {
  const address = typeof given === "string" ? canonicalIp(given) : undefined;
  return address ?? refuse(what, `${shown(given)} is no IP address`);
}

export function requirePort(what: What, port: number | undefined): void {
  requireInteger(what, "port", port, 0, 0xffff);
}

export function requireId(what: What, id: number | undefined, least = 0): void {
  requireInteger(what, "address id", id, least, 0xff);
}

/** Of a command for one endpoint, which has to name it. */
export function requireEndpointId(what: What, id: number): void {
  if (id === undefined) refuse(what, "the address id has to be given");
  requireId(what, id);
}

export function requireInterface(what: What, ifIndex: number | undefined): void {
  requireInteger(what, "interface index", ifIndex, 0, 2 ** 31 - 1);
}

export function requireLimit(what: What, limit: number): void {
  if (limit === undefined) refuse(what, "both subflows and addAddrAccepted have to be given");
  requireInteger(what, "limit", limit, 0, 2 ** 32 - 1);
}

export function requireBoolean(what: What, name: string, given: boolean | undefined): void {
  if (given !== undefined && typeof given !== "boolean")
    refuse(what, `${name} ${shown(given)} is neither true nor false`);
}

export function flagsOf(what: What, names: readonly EndpointFlag[]) {
  if (!Array.isArray(names)) refuse(what, `${shown(names)} is no list of flags`);
  const allowed = endpointFlags.names;
  for (const name of names)
    if (!allowed.includes(name)) refuse(what, `${shown(name)} is no flag: allowed are ${allowed.join(", ")}`);
  return endpointFlags.of(...names);
}

function requireInteger(
  what: What,
  name: string,
  given: number | undefined,
  least: number,
  most: number,
): void {
  if (given === undefined) return;
  if (Number.isInteger(given) && given >= least && given <= most) return;
  refuse(what, `${shown(given)} is no ${name}: allowed are ${least} to ${most}`);
}

function shown(given: unknown): string {
  return typeof given === "string" ? `"${given}"` : String(given);
}

function refuse(what: What, reason: string): never {
  throw new ConnectionError(what(), "EINVAL", reason);
}

/** Whether an error is what a command rejects with for what happens in the world, which is no fault of who asks. */
export function isRefusal(error: unknown): boolean {
  const kinds = [ConnectionError, NetlinkError, SystemError];
  return guarded(() => kinds.some((kind) => error instanceof kind), false);
}

/** How loud a refusal is said: that a connection has ended is no news. */
export function levelOf<Given extends Level>(refusal: unknown, otherwise: Given): Given | "debug" {
  return guarded(() => isConnectionClosed(refusal), false) ? "debug" : otherwise;
}

/**
 * For commands that need not succeed, as in `pm.setBackup(…).catch(logRefusal(pm))`: what the kernel or the peer
 * refuses is logged as information, as a detail if the connection has ended meanwhile. Errors without a code go on.
 */
export function logRefusal({ log, signal }: Pick<PathManager, "log" | "signal">): (error: unknown) => void {
  return (error) => {
    // All that was under way is refused to who is unloaded.
    if (signal.aborted) return;
    if (!(error instanceof Error && "code" in error)) throw error;
    log[levelOf(error, "info")](messageOf(error));
  };
}
