import { announced, closed, connection, listener, removed, subflow } from "./messages/codecs.ts";
import type { Decoded } from "./netlink/codec.ts";
import { type ConnectionOptions, NetlinkConnection } from "./netlink/connection.ts";
import { NetlinkError, NetlinkProtocolError } from "./netlink/errors.ts";
import { GENERIC_HEADER_LENGTH, type GenericFamily } from "./netlink/generic.ts";
import type { Writable } from "./netlink/message-codec.ts";
import type { NetlinkMessage, Payload } from "./netlink/wire.ts";

export { eventFlags } from "./messages/flags.ts";

/** What the group "mptcp_pm_events" says (include/uapi/linux/mptcp_pm.h; net/mptcp/pm_netlink.c, mptcp_event*()). */
export type MptcpEvent =
  | (ConnectionEvent & { readonly event: "created" | "established" })
  | (Decoded<typeof closed> & { readonly event: "closed" })
  | (Decoded<typeof announced> & { readonly event: "announced" })
  | (Decoded<typeof removed> & { readonly event: "removed" })
  | (SubflowEvent & { readonly event: "subflowEstablished" | "subflowClosed" | "subflowPriority" })
  | (Decoded<typeof listener> & { readonly event: "listenerCreated" | "listenerClosed" })
  /** An event that is newer than this program. */
  | { readonly event: "unknown"; readonly number: number };

/** enum mptcp_event_type: MPTCP_EVENT_*. */
const eventNumber = {
  created: 1,
  established: 2,
  closed: 3,
  announced: 6,
  removed: 7,
  subflowEstablished: 10,
  subflowClosed: 11,
  subflowPriority: 13,
  listenerCreated: 15,
  listenerClosed: 16,
} as const satisfies Readonly<Record<Exclude<MptcpEvent["event"], "unknown">, number>>;

export type ConnectionEvent = Omit<Decoded<typeof connection>, "oldServerSide"> & {
  /** This host accepted the connection; else it made it. */
  readonly serverSide: boolean;
  /** The peer takes no subflows to the address of the first one (RFC 8684, 3.1: flag C). */
  readonly denyJoinId0: boolean;
};

export type SubflowEvent = Omit<Decoded<typeof subflow>, "backup"> & { readonly backup: boolean };

export interface MptcpEventHandlers {
  event(event: MptcpEvent): void;
  /** Events were lost. */
  overrun(): void;
  /** An event made no sense; the next ones still come. */
  error(error: unknown): void;
}

/** Opens a socket of its own for the events of the family. Throws NetlinkError: EPERM without CAP_NET_ADMIN. */
export function openEvents(
  family: GenericFamily,
  options: ConnectionOptions,
  handlers: MptcpEventHandlers,
): NetlinkConnection {
  const netlink = NetlinkConnection.open(options);
  const group = family.groups.get("mptcp_pm_events");
  netlink.onOverrun(() => handlers.overrun());
  netlink.onError((error) => handlers.error(error));
  try {
    if (group === undefined)
      throw new NetlinkError("ENOENT", "the kernel's mptcp_pm has no group for events");
    netlink.subscribe(group, (message) => {
      if (message.type === family.id) handlers.event(decodeEvent(message));
    });
  } catch (error) {
    netlink.close();
    throw error;
  }
  return netlink;
}

/** The event of a message of the family; throws NetlinkProtocolError if an attribute that it must have is missing. */
function decodeEvent({ input, start, end }: NetlinkMessage): MptcpEvent {
  if (end - start < GENERIC_HEADER_LENGTH)
    throw new NetlinkProtocolError(`struct needs ${GENERIC_HEADER_LENGTH} bytes`, {
      offset: start,
      length: end - start,
    });
  const number = input.view.getUint8(start);
  const attributes = { input, start: start + GENERIC_HEADER_LENGTH, end };
  switch (number) {
    case eventNumber.created:
      return connectionEvent("created", attributes);
    case eventNumber.established:
      return connectionEvent("established", attributes);
    case eventNumber.closed:
      return { event: "closed", token: closed.decode(attributes).token };
    case eventNumber.announced:
      return { event: "announced", ...announced.decode(attributes) };
    case eventNumber.removed:
      return { event: "removed", ...removed.decode(attributes) };
    case eventNumber.subflowEstablished:
      return subflowEvent("subflowEstablished", attributes);
    case eventNumber.subflowClosed:
      return subflowEvent("subflowClosed", attributes);
    case eventNumber.subflowPriority:
      return subflowEvent("subflowPriority", attributes);
    case eventNumber.listenerCreated:
      return { event: "listenerCreated", ...listener.decode(attributes) };
    case eventNumber.listenerClosed:
      return { event: "listenerClosed", ...listener.decode(attributes) };
    default:
      return { event: "unknown", number };
  }
}

function connectionEvent<Event extends "created" | "established">(event: Event, attributes: Payload) {
  const { token, family, localAddress, localPort, remoteAddress, remotePort, flags, oldServerSide } =
    connection.decode(attributes);
  const serverSide = oldServerSide !== 0 || flags.has("serverSide");
  const denyJoinId0 = flags.has("denyJoinId0");
  return {
    event,
    token,
    family,
    localAddress,
    localPort,
    remoteAddress,
    remotePort,
    flags,
    serverSide,
    denyJoinId0,
  };
}

/** Field by field: a copy by spreading takes Node 20 longer than decoding does. */
function subflowEvent<Event extends "subflowEstablished" | "subflowClosed" | "subflowPriority">(
  event: Event,
  attributes: Payload,
): SubflowEvent & { readonly event: Event } {
  const decoded = subflow.decode(attributes);
  const { error, timeout, resetReason, resetFlags } = decoded;
  const told: Writable<SubflowEvent> & { event: Event } = {
    event,
    token: decoded.token,
    family: decoded.family,
    localId: decoded.localId,
    remoteId: decoded.remoteId,
    localAddress: decoded.localAddress,
    localPort: decoded.localPort,
    remoteAddress: decoded.remoteAddress,
    remotePort: decoded.remotePort,
    backup: decoded.backup !== 0,
    ifIndex: decoded.ifIndex,
  };
  if (error !== undefined) told.error = error;
  if (timeout !== undefined) told.timeout = timeout;
  if (resetReason !== undefined) told.resetReason = resetReason;
  if (resetFlags !== undefined) told.resetFlags = resetFlags;
  return told;
}
