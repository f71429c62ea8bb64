/**
 * The kernel's commands for connections of the userspace path manager (net/mptcp/pm_userspace.c, Linux 6.18): what they
 * refuse, and what they do to the connection. What follows from that in time is up to the caller. A refusal names
 * `what` was asked for.
 */
import type { SocketAddress } from "../../control/connections/connection.ts";
import { type Endpoint, type EndpointFlag, endpointFlags, type SubflowEnd } from "../../kernel/mptcp-pm.ts";
import type { LocalEnd } from "../../kernel/mptcp-pm-schema.ts";
import type { Bits } from "../../kernel/netlink/bits.ts";
import { errnoOf } from "../../kernel/netlink/errors.ts";
import { ipFamily, mapped, unmapped } from "../../kernel/netlink/ip.ts";
import type { ListedAddress } from "./address-list.ts";
import type { SimulatedConnection, SimulatedSubflow } from "./connection.ts";
import { isSame, refusal } from "./endpoints.ts";

/** The connection that a command names, if it is one of the userspace path manager. */
export function managedConnection(
  connections: ReadonlyMap<number, SimulatedConnection>,
  token: number,
  what: string,
): SimulatedConnection {
  const connection = connections.get(token);
  if (connection === undefined) throw refusal(what, "EINVAL", "invalid token");
  if (connection.pathManager === "kernel") throw refusal(what, "EINVAL", "userspace PM not selected");
  return connection;
}

/** Puts an address on the list, for the peer to be told of. */
export function announce(
  connection: SimulatedConnection,
  { address, id, port = 0, ifIndex = 0 }: LocalEnd & { readonly id: number },
  what: string,
): void {
  if (id === 0) throw refusal(what, "EINVAL", "invalid addr id");
  enter(connection, { address, port, id, ifIndex, flags: endpointFlags.of("signal") }, what);
  const others = connection.announced.filter((entry) => entry.id !== id);
  connection.announced = [...others, { address, port, id }];
}

/**
 * Takes an address off the list. The initial subflow keeps its place, ended or not, so id 0 can always be withdrawn
 * (mptcp_userspace_pm_remove_id_zero_address).
 *
 * @returns the subflows from it, which the peer ends
 */
export function withdraw(connection: SimulatedConnection, id: number, what: string): SimulatedSubflow[] {
  if (id !== 0 && !connection.ids.has(id)) throw refusal(what, "EINVAL", `address with id ${id} not found`);
  if (id !== 0) connection.ids.remove(id);
  connection.announced = connection.announced.filter((entry) => entry.id !== id);
  return connection.subflows.filter(({ localId }) => localId === id);
}

export interface WantedSubflow {
  readonly local: LocalEnd;
  readonly remote: SubflowEnd;
  readonly flags?: Bits<EndpointFlag>;
}

/** What a subflow that is to begin needs of the host. */
export interface SubflowHost {
  readonly hasAddress: (address: string) => boolean;
  /** The local port, of a subflow whose fate is known. */
  readonly choosePort: (remote: SocketAddress) => number | undefined;
  readonly freePort: () => number;
}

/** Begins a subflow, which is not established yet. `isForeseen`: the host has chosen its port. */
export function beginSubflow(
  connection: SimulatedConnection,
  { local, remote, flags = endpointFlags.of() }: WantedSubflow,
  host: SubflowHost,
  what: string,
): { readonly subflow: SimulatedSubflow; readonly isForeseen: boolean } {
  const { id = 0, ifIndex = 0, address, port = 0 } = local;
  if (flags.has("signal")) throw refusal(what, "EINVAL", "invalid addr flags");
  if (!familiesMatch(connection, local, remote)) throw refusal(what, "EINVAL", "families mismatch");
  enter(connection, { address, port, id, ifIndex, flags: flags.with("subflow") }, what);
  const plain = unmapped(address);
  const code = whyNotConnected(connection, host.hasAddress(plain));
  if (code !== undefined) {
    connection.ids.forget(address);
    throw refusal(what, code, `connect error: -${errnoOf(code)}`);
  }
  const target = { address: unmapped(remote.address), port: remote.port ?? 0 };
  const chosen = host.choosePort(target);
  const subflow: SimulatedSubflow = {
    local: { address: plain, port: chosen ?? (port || host.freePort()) },
    remote: target,
    ...{ localId: id, remoteId: 0, ifIndex, initial: false, established: false, mapped: plain !== address },
    ...{ localBackup: flags.has("backup"), remoteBackup: false },
  };
  connection.subflows.push(subflow);
  return { subflow, isForeseen: chosen !== undefined };
}

/** net/mptcp/subflow.c, __mptcp_subflow_connect */
function whyNotConnected({ established }: SimulatedConnection, hasAddress: boolean): string | undefined {
  if (!established) return "ENOTCONN";
  return hasAddress ? undefined : "EADDRNOTAVAIL";
}

/** Finds the subflow to destroy, and takes its address off the list. */
export function subflowToDestroy(
  { subflows, ids }: SimulatedConnection,
  local: SubflowEnd,
  remote: SubflowEnd,
  what: string,
): SimulatedSubflow {
  const isMapped = unmapped(local.address) !== local.address || unmapped(remote.address) !== remote.address;
  const spell = isMapped ? mapped : (address: string): string => address;
  const [from, to] = [spell(local.address), spell(remote.address)];
  if (ipFamily(from) !== ipFamily(to)) throw refusal(what, "EINVAL", "address families do not match");
  if (!local.port) throw refusal(what, "EINVAL", "missing local port");
  if (!remote.port) throw refusal(what, "EINVAL", "missing remote port");
  const subflow = subflows.find((one) => {
    const spelled = one.mapped ? mapped : (address: string): string => address;
    const isThere = spelled(one.local.address) === from && spelled(one.remote.address) === to;
    return isThere && one.local.port === local.port && one.remote.port === remote.port;
  });
  if (subflow === undefined) throw refusal(what, "ESRCH", "subflow not found");
  ids.forget(local.address);
  return subflow;
}

/** Makes a subflow backup for the peer, or no longer so: the first that fits, where a port is not given. */
export function setBackup(
  { subflows, ids }: SimulatedConnection,
  { local, remote }: Pick<WantedSubflow, "local" | "remote">,
  backup: boolean,
  what: string,
): void {
  ids.setBackup(local.address, backup);
  const subflow = subflows.find((one) => isAt(one.local, local) && isAt(one.remote, remote));
  // It does not say ESRCH here (net/mptcp/pm.c, mptcp_pm_mp_prio_send_ack).
  if (subflow === undefined) throw refusal(what, "EINVAL", "subflow not found");
  subflow.localBackup = backup;
}

/** The address with an id in the connection's list. The kernel has one answer for whatever is missing. */
export function listedAddress(
  connection: SimulatedConnection | undefined,
  id: number,
  what: string,
): Endpoint {
  const list = connection?.pathManager === "userspace" ? [...connection.ids] : [];
  const entry = list.find((one) => one.id === id);
  if (entry === undefined) throw refusal(what, "EINVAL", "address not found");
  return entry;
}

function enter({ ids }: SimulatedConnection, entry: ListedAddress, what: string): void {
  if (!ids.enter(entry)) throw refusal(what, "EINVAL", "did not match address and id");
}

function isAt(end: SocketAddress, { address, port = 0 }: SubflowEnd): boolean {
  return isSame(end.address, address) && (port === 0 || port === end.port);
}

/** An IPv4 socket has IPv4 subflows only (net/mptcp/pm.c, mptcp_pm_addr_families_match). */
function familiesMatch(connection: SimulatedConnection, local: LocalEnd, remote: SubflowEnd): boolean {
  const family = ipFamily(unmapped(local.address));
  if (connection.socketFamily === 4 && family === 6) return false;
  return family === ipFamily(unmapped(remote.address));
}
