/**
 * The messages of the generic netlink family "mptcp_pm", version 1, and of its group "mptcp_pm_events":
 * Documentation/netlink/specs/mptcp_pm.yaml, include/uapi/linux/mptcp_pm.h, net/mptcp/pm_netlink.c.
 */
import { genericMessage } from "../netlink/generic-message.ts";
import {
  attributes,
  bits,
  bitsOf,
  type Encodable,
  ipv4,
  ipv6,
  nested,
  oneOf,
  required,
  s32,
  u8,
  u16,
  u16be,
  u32,
  withDefault,
} from "../netlink/schema.ts";
import { endpointFlags, eventFlags } from "./flags.ts";

/** MPTCP_PM_ADDR_ATTR_*. The port is in the host's byte order, unlike the events'. */
export const addressAttributes = attributes({
  family: u16(1),
  id: u8(2),
  address: oneOf({ 3: ipv4, 4: ipv6 }),
  port: u16(5),
  flags: bits(6, endpointFlags),
  ifIndex: s32(7),
});

export type AddressAttributes = Encodable<typeof addressAttributes>;

/** MPTCP_PM_ATTR_*, of requests and replies. */
export const pmMessage = genericMessage({
  address: nested(1, addressAttributes),
  addAddrAccepted: u32(2),
  subflows: u32(3),
  token: u32(4),
  localId: u8(5),
  remote: nested(6, addressAttributes),
});

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
/** A listening MPTCP socket of any program, or of the kernel for an endpoint with a port. */
export const listener = attributes({ family, localAddress, localPort });

/** The messages that the programs read. Those of events begin after the generic header. */
export const received = { pmMessage, connection, closed, announced, removed, subflow, listener };

/** The messages that they write. */
export const sent = { pmMessage };
