import { bitNames } from "./netlink/bits.ts";
import { type ConnectionOptions, NetlinkConnection } from "./netlink/connection.ts";
import { NetlinkError } from "./netlink/errors.ts";
import { type GenericFamily, genericHeader } from "./netlink/generic.ts";
import {
  attributes,
  bitsOf,
  type Decoded,
  ipv4,
  ipv6,
  oneOf,
  required,
  s32,
  u8,
  u16,
  u16be,
  u32,
  withDefault,
} from "./netlink/schema.ts";
import type { NetlinkMessage } from "./netlink/wire.ts";

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

/** MPTCP_PM_EV_FLAG_*. The second replaces the attribute SERVER_SIDE since Linux 6.18. */
export const eventFlags = bitNames({ denyJoinId0: 0, serverSide: 1 });

// MPTCP_ATTR_*. Ports are big-endian here.
const token = required(u32(1));
const family = required(u16(2));
const localId = required(u8(3));
const remoteId = required(u8(4));
const localAddress = required(oneOf({ 5: ipv4, 6: ipv6 }));
const remoteAddress = required(oneOf({ 7: ipv4, 8: ipv6 }));
const localPort = required(u16be(9));
const remotePort = required(u16be(10));
const flags = withDefault(bitsOf(u16, eventFlags)(13), eventFlags.of());

/** CREATED: known, not yet confirmed. ESTABLISHED: confirmed, subflows may be added. */
export const connection = attributes({
  token,
  family,
  localAddress,
  localPort,
  remoteAddress,
  remotePort,
  flags,
  oldServerSide: withDefault(u8(18), 0),
});
export type ConnectionEvent = Omit<Decoded<typeof connection>, "oldServerSide"> & {
  /** This host accepted the connection; else it made it. */
  readonly serverSide: boolean;
  /** The peer takes no subflows to the address of the first one (RFC 8684, 3.1: flag C). */
  readonly denyJoinId0: boolean;
};

export const closed = attributes({ token });

/**
 * The peer has announced an address (ADD_ADDR). The port is the announced one, or else the peer's of the subflow that
 * ADD_ADDR came by (mptcp_event_addr_announced). Linux 6.18 leaves out the family.
 */
export const announced = attributes({
  token,
  remoteId,
  family: u16(2),
  remoteAddress,
  remotePort,
});

/** The peer has withdrawn an address (REMOVE_ADDR). */
export const removed = attributes({ token, remoteId });

export const subflow = attributes({
  token,
  family,
  localId,
  remoteId,
  localAddress,
  localPort,
  remoteAddress,
  remotePort,
  /** 1: used only when no other is left. */
  backup: withDefault(u8(11), 0),
  /** An errno, positive: why it broke. */
  error: u8(12),
  timeout: u32(14),
  /** The interface that it is bound to; 0 none. */
  ifIndex: withDefault(s32(15), 0),
  /** The reason that the reset gave, MPTCP_RST_* (RFC 8684, 3.6). */
  resetReason: u32(16),
  resetFlags: u32(17),
});
export type SubflowEvent = Omit<Decoded<typeof subflow>, "backup"> & { readonly backup: boolean };

/** A listening MPTCP socket of any program, or of the kernel for an endpoint with a port. */
export const listener = attributes({ family, localAddress, localPort });

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
function decodeEvent(message: NetlinkMessage): MptcpEvent {
  const { command: number } = genericHeader.decode(message);
  const { input, start, end } = message;
  const read = readers.get(number);
  return read?.(input, start + genericHeader.minimum, end) ?? { event: "unknown", number };
}

type Read<Event> = (...attributes: Parameters<typeof connection.read>) => Event;

const readers: ReadonlyMap<number, Read<MptcpEvent>> = new Map<number, Read<MptcpEvent>>([
  [eventNumber.created, (...from) => ({ event: "created", ...readConnection(...from) })],
  [eventNumber.established, (...from) => ({ event: "established", ...readConnection(...from) })],
  [eventNumber.closed, (...from) => ({ event: "closed", ...closed.read(...from) })],
  [eventNumber.announced, (...from) => ({ event: "announced", ...announced.read(...from) })],
  [eventNumber.removed, (...from) => ({ event: "removed", ...removed.read(...from) })],
  [eventNumber.subflowEstablished, (...from) => ({ event: "subflowEstablished", ...readSubflow(...from) })],
  [eventNumber.subflowClosed, (...from) => ({ event: "subflowClosed", ...readSubflow(...from) })],
  [eventNumber.subflowPriority, (...from) => ({ event: "subflowPriority", ...readSubflow(...from) })],
  [eventNumber.listenerCreated, (...from) => ({ event: "listenerCreated", ...listener.read(...from) })],
  [eventNumber.listenerClosed, (...from) => ({ event: "listenerClosed", ...listener.read(...from) })],
]);

const readConnection: Read<ConnectionEvent> = (...from) => {
  const { oldServerSide, ...rest } = connection.read(...from);
  const serverSide = oldServerSide !== 0 || rest.flags.has("serverSide");
  return { ...rest, serverSide, denyJoinId0: rest.flags.has("denyJoinId0") };
};

const readSubflow: Read<SubflowEvent> = (...from) => {
  const { backup, ...rest } = subflow.read(...from);
  return { ...rest, backup: backup !== 0 };
};
