import { bitNames, type NameOf } from "./netlink/bits.ts";
import { genericMessage } from "./netlink/generic.ts";
import { attributes, bits, ipv4, ipv6, nested, oneOf, s32, u8, u16, u32 } from "./netlink/schema.ts";

/**
 * The messages of the generic netlink family "mptcp_pm", version 1: Documentation/netlink/specs/mptcp_pm.yaml,
 * include/uapi/linux/mptcp_pm.h, net/mptcp/pm_netlink.c. Events are in mptcp-pm-events.ts.
 */

/** enum of MPTCP_PM_CMD_*. */
export const command = {
  addAddr: 1,
  delAddr: 2,
  getAddr: 3,
  flushAddrs: 4,
  setLimits: 5,
  getLimits: 6,
  setFlags: 7,
  announce: 8,
  remove: 9,
  subflowCreate: 10,
  subflowDestroy: 11,
} as const;

/**
 * MPTCP_PM_ADDR_FLAG_*, see ip-mptcp(8). `implicit`: made by the kernel for a subflow from an address without an
 * endpoint; adding that address replaces it. `laminar` is of Linux 6.18; older kernels drop it without a word, so read
 * back what was added. Of all flags only `backup` and `fullmesh` can be changed in place.
 */
export const endpointFlags = bitNames({
  signal: 0,
  subflow: 1,
  backup: 2,
  fullmesh: 3,
  implicit: 4,
  laminar: 5,
});
export type EndpointFlag = NameOf<typeof endpointFlags>;

/** MPTCP_PM_ADDR_ATTR_*. The port is in the host's byte order, unlike the events'. */
export const addressAttributes = attributes({
  family: u16(1),
  id: u8(2),
  address: oneOf({ 3: ipv4, 4: ipv6 }),
  port: u16(5),
  flags: bits(6, endpointFlags),
  ifIndex: s32(7),
});

/** MPTCP_PM_ATTR_*, of requests and replies. */
export const pmMessage = genericMessage({
  address: nested(1, addressAttributes),
  addAddrAccepted: u32(2),
  subflows: u32(3),
  token: u32(4),
  localId: u8(5),
  remote: nested(6, addressAttributes),
});
