/**
 * The messages of the generic netlink family "mptcp_pm", version 1, and the values that they carry:
 * Documentation/netlink/specs/mptcp_pm.yaml, include/uapi/linux/mptcp_pm.h, net/mptcp/pm_netlink.c. Events are in
 * mptcp-pm-events.ts.
 */
import { type Bits, bitNames, type NameOf } from "./netlink/bits.ts";
import { genericMessage } from "./netlink/generic.ts";
import { ipFamily } from "./netlink/ip.ts";
import {
  attributes,
  bits,
  type Encodable,
  ipv4,
  ipv6,
  nested,
  oneOf,
  s32,
  u8,
  u16,
  u32,
} from "./netlink/schema.ts";
import type { NetlinkMessage } from "./netlink/wire.ts";
import { AF_INET, AF_INET6 } from "./socket-numbers.ts";

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

/** An address that the kernel's path manager uses, or with a token: one of a connection of the userspace one. */
export type Endpoint = {
  /** 1 to 255. */
  readonly id: number;
  readonly address: string;
  /** 0 none. */
  readonly port: number;
  readonly flags: Bits<EndpointFlag>;
  /** 0 any. */
  readonly ifIndex: number;
};

/** For a connection, of either peer's making: how many subflows beyond the first, how many ADD_ADDR are acted on. */
export type Limits = { readonly subflows: number; readonly addAddrAccepted: number };

export type NewEndpoint = {
  readonly address: string;
  readonly flags: Bits<EndpointFlag>;
  /** The kernel takes a free one if it is not given. */
  readonly id?: number;
  /** Only with the flag `signal`. */
  readonly port?: number;
  readonly ifIndex?: number;
};

/** One end of a subflow. */
export type SubflowEnd = { readonly address: string; readonly port?: number };

/** A local end: the address id that the peer knows it by, and the interface to bind to. */
export type LocalEnd = SubflowEnd & { readonly id?: number; readonly ifIndex?: number };

/** The two ends that tell a subflow from the others of its connection; both ports are needed. */
export type SubflowKey = {
  readonly token: number;
  readonly local: LocalEnd;
  readonly remote: SubflowEnd;
};

/** The endpoint of a message; undefined if it has none. */
export function toEndpoint(message: NetlinkMessage): Endpoint | undefined {
  const { address: endpoint } = pmMessage.decode(message);
  if (endpoint?.address === undefined) return undefined;
  const { id = 0, address, port = 0, flags = endpointFlags.of(), ifIndex = 0 } = endpoint;
  return { id, address, port, flags, ifIndex };
}

export function toAttributes(
  local: LocalEnd & { readonly flags?: Bits<EndpointFlag> },
): Encodable<typeof addressAttributes> {
  return { family: ipFamily(local.address) === 4 ? AF_INET : AF_INET6, ...local };
}

/** For messages: "10.0.0.1 port 80". */
export function nameOf({ address, port = 0 }: SubflowEnd): string {
  return port === 0 ? address : `${address} port ${port}`;
}

/** For messages: "subflow … to … of connection …". */
export function nameOfSubflow({ token, local, remote }: SubflowKey): string {
  return `subflow ${nameOf(local)} to ${nameOf(remote)} of connection ${tokenText(token)}`;
}

/** As `ip mptcp monitor` and `ss -M` print it, in eight hexadecimal digits. */
export function tokenText(token: number): string {
  return token.toString(16).padStart(8, "0");
}
