/** What events tell, as records of the table; connection-updates.ts changes the table by them. */
import type { MptcpEvent } from "../../kernel/mptcp-pm.ts";
import { errnoName } from "../../kernel/netlink/errors.ts";
import { ipFamily, unmapped } from "../../kernel/netlink/ip.ts";
import { AF_INET6 } from "../../kernel/socket-numbers.ts";
import type { SocketAddress } from "../../kernel/sockets.ts";
import type { CloseReason } from "./connection.ts";
import { ConnectionRecord, SubflowRecord } from "./connection-record.ts";

/** An event of a connection: not a listener's. */
export type EventOfConnection = Extract<MptcpEvent, { readonly token: number }>;

export function isOfConnection(event: MptcpEvent): event is EventOfConnection {
  return "token" in event;
}

export type OpeningEvent = EventOfConnection & { readonly event: "created" | "established" };

export type EventOfSubflow = Extract<EventOfConnection, { readonly localId: number }>;

/** A connection that has just begun, and its initial subflow. */
export function connectionFromEvent(event: OpeningEvent): ConnectionRecord {
  const { local, remote } = endsOf(event);
  const connection = new ConnectionRecord(event.token, local, remote, event.family === AF_INET6 ? 6 : 4);
  const mapped = isMapped(event.family, local);
  const initial = { local, remote, localId: 0, ifIndex: 0, initial: true, mapped } as const;
  connection.announcedIsComplete = true;
  connection.subflows = [new SubflowRecord({ ...joining, ...initial, state: "established" })];
  return connection;
}

export function subflowFromEvent(event: EventOfSubflow, state: "connecting" | "established"): SubflowRecord {
  const { localId, remoteId, ifIndex, backup } = event;
  const ends = endsOf(event);
  const mapped = isMapped(event.family, ends.local);
  return new SubflowRecord({
    ...{ ...joining, ...ends, localId, remoteId, ifIndex, state, mapped },
    // Events tell what the peer asked for (net/mptcp/pm_netlink.c, mptcp_event_put_token_and_ssk).
    remoteBackup: backup,
  });
}

export function endFromEvent(address: string, port: number): SocketAddress {
  return { address: unmapped(address), port };
}

export function closeReasonFrom({ error, resetReason, resetFlags }: EventOfSubflow): CloseReason {
  return {
    ...(error !== undefined && { error, code: errnoName(error) }),
    ...(resetReason !== undefined && { resetReason }),
    ...(resetFlags !== undefined && { resetFlags }),
  };
}

/** A subflow that joins a connection, before anything is known of it. */
export const joining = {
  remoteId: 0,
  state: "connecting",
  initial: false,
  localBackup: false,
  remoteBackup: false,
  mapped: false,
} as const;

function endsOf(event: Pick<EventOfSubflow, "localAddress" | "localPort" | "remoteAddress" | "remotePort">) {
  return {
    local: endFromEvent(event.localAddress, event.localPort),
    remote: endFromEvent(event.remoteAddress, event.remotePort),
  };
}

function isMapped(family: number, local: SocketAddress): boolean {
  return family === AF_INET6 && ipFamily(local.address) === 4;
}
