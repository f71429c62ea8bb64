/** Subflows that a path manager asks for, compared with those that a connection has. */
import type { Connection, SocketAddress, Subflow } from "../../control/connections/connection.ts";
import { usualTarget } from "../../control/connections/subflows.ts";
import { ipFamily } from "../../kernel/netlink/ip.ts";
import type { CreateSubflowOptions } from "./api.ts";

/** The same for requests that are the same. */
export function keyOf({ from, to }: CreateSubflowOptions): string {
  const source = typeof from === "string" ? from : "address" in from ? from.address : from.name;
  const target = typeof to === "object" ? `${to.address} port ${to.port ?? ""}` : (to ?? "");
  return `${source} > ${target}`;
}

export function isMeant(subflow: Subflow, { from, to }: CreateSubflowOptions, first: SocketAddress): boolean {
  if (!isFrom(from, subflow.local.address)) return false;
  if (to === undefined) return true;
  const { address, port = first.port } = typeof to === "string" ? { address: to } : to;
  return subflow.remote.address === address && subflow.remote.port === port;
}

/** What goes nowhere yet waits for an address that the peer announces. */
export function reaches(connection: Connection, { from, to }: CreateSubflowOptions): boolean {
  if (to !== undefined) return true;
  return addressesOf(from).some((address) => usualTarget(connection, ipFamily(address)) !== undefined);
}

function isFrom(from: CreateSubflowOptions["from"], address: string): boolean {
  if (typeof from === "string") return from === address;
  return "address" in from ? from.address === address : from.addresses.some((one) => one.address === address);
}

function addressesOf(from: CreateSubflowOptions["from"]): string[] {
  if (typeof from === "string") return [from];
  return "address" in from ? [from.address] : from.addresses.map(({ address }) => address);
}
