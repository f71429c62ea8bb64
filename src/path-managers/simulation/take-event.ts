import type {
  EventOfConnection,
  EventOfSubflow,
  OpeningEvent,
} from "../../control/connections/from-events.ts";
import type { MptcpEvent } from "../../kernel/mptcp-pm.ts";
import { unmapped } from "../../kernel/netlink/ip.ts";
import { AF_INET6 } from "../../kernel/socket-numbers.ts";
import type { SocketAddress } from "../../kernel/sockets.ts";
import { AddressList } from "./address-list.ts";
import type { SimulatedConnection, SimulatedSubflow } from "./connection.ts";
import type { SimulatedKernel } from "./kernel.ts";

export interface Ends {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
}

/**
 * Makes a kernel's connections what they are after an event that another kernel has told.
 *
 * @param ids the addresses that a connection has listed which begins with the event
 * @returns the subflow that is new, or another than before
 */
export function takeEvent(
  { connections, pathManager }: SimulatedKernel,
  event: EventOfConnection,
  ids = new AddressList(),
): SimulatedSubflow | undefined {
  const known = connections.get(event.token);
  if (isOfSubflow(event)) return known === undefined ? undefined : changeSubflow(known, event);
  if (event.event === "closed") connections.delete(event.token);
  if (event.event !== "created" && event.event !== "established") return undefined;
  const connection = known ?? open(event, pathManager, ids);
  connections.set(event.token, connection);
  if (event.event === "established") connection.established = true;
  return known === undefined ? connection.subflows[0] : undefined;
}

function open(
  event: OpeningEvent,
  pathManager: SimulatedKernel["pathManager"],
  ids: AddressList,
): SimulatedConnection {
  const { token, serverSide, denyJoinId0 } = event;
  const socketFamily = event.family === AF_INET6 ? 6 : 4;
  const given = { token, ...endsOf(event), socketFamily, serverSide, denyJoinId0 } as const;
  const connection = connectionWith({ pathManager }, given, ids);
  const initial = { ...plainSubflow, ...endsOf(event), mapped: isMapped(event), initial: true };
  return { ...connection, subflows: [initial] };
}

/** A connection without subflows. */
export function connectionWith(
  { pathManager }: Pick<SimulatedKernel, "pathManager">,
  given: Pick<
    SimulatedConnection,
    "token" | "local" | "remote" | "socketFamily" | "serverSide" | "denyJoinId0"
  >,
  ids: AddressList,
): SimulatedConnection {
  const peerIds = new Map<string, number>();
  return { ...given, pathManager, established: false, subflows: [], ids, announced: [], peerIds };
}

function changeSubflow(connection: SimulatedConnection, event: EventOfSubflow): SimulatedSubflow | undefined {
  const { localId, remoteId, ifIndex, backup } = event;
  const ends = endsOf(event);
  const known = connection.subflows.find((subflow) => isMeant(subflow, ends));
  if (event.event === "subflowClosed") {
    connection.subflows = connection.subflows.filter((subflow) => subflow !== known);
    return undefined;
  }
  const fresh = { ...plainSubflow, ...ends, mapped: isMapped(event), localId, ifIndex, initial: false };
  const subflow = known ?? fresh;
  if (known === undefined) connection.subflows.push(subflow);
  subflow.established = true;
  subflow.remoteId = remoteId;
  subflow.remoteBackup = backup;
  return subflow;
}

const plainSubflow = {
  ...{ localId: 0, remoteId: 0, ifIndex: 0 },
  ...{ established: true, localBackup: false, remoteBackup: false },
};

export function isOfSubflow(event: MptcpEvent): event is EventOfSubflow {
  return "localId" in event;
}

export function endsOf(
  event: Pick<OpeningEvent, "localAddress" | "localPort" | "remoteAddress" | "remotePort">,
): Ends {
  return {
    local: { address: unmapped(event.localAddress), port: event.localPort },
    remote: { address: unmapped(event.remoteAddress), port: event.remotePort },
  };
}

function isMapped({ family, localAddress }: Pick<OpeningEvent, "family" | "localAddress">): boolean {
  return family === AF_INET6 && !unmapped(localAddress).includes(":");
}

/** Of what failed before its handshake the kernel may not tell the peer's port. */
export function isMeant(subflow: Ends, told: Ends): boolean {
  const { remote } = subflow;
  return hasSameEnds(subflow, { ...told, remote: { ...told.remote, port: told.remote.port || remote.port } });
}

export function hasSameEnds(one: Ends, other: Ends): boolean {
  return keyOf(one) === keyOf(other);
}

export function keyOf({ local, remote }: Ends): string {
  return `${local.address} ${local.port} ${remote.address} ${remote.port}`;
}
