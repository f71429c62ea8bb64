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
  const local = endFromEvent(event.localAddress, event.localPort);
  const remote = endFromEvent(event.remoteAddress, event.remotePort);
  const connection = new ConnectionRecord(event.token, local, remote, event.family === AF_INET6 ? 6 : 4);
  const initial = new SubflowRecord(local, remote, 0);
  initial.initial = true;
  initial.state = "established";
  initial.mapped = isMapped(event.family, local);
  connection.announcedIsComplete = true;
  connection.subflows = [initial];
  return connection;
}

export function subflowFromEvent(event: EventOfSubflow, state: "connecting" | "established"): SubflowRecord {
  const local = endFromEvent(event.localAddress, event.localPort);
  const remote = endFromEvent(event.remoteAddress, event.remotePort);
  const subflow = new SubflowRecord(local, remote, event.localId);
  subflow.remoteId = event.remoteId;
  subflow.state = state;
  subflow.ifIndex = event.ifIndex;
  // Events tell what the peer asked for (net/mptcp/pm_netlink.c, mptcp_event_put_token_and_ssk).
  subflow.remoteBackup = event.backup;
  subflow.mapped = isMapped(event.family, local);
  return subflow;
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

function isMapped(family: number, local: SocketAddress): boolean {
  return family === AF_INET6 && ipFamily(local.address) === 4;
}
