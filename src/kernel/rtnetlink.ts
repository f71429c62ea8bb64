/**
 * Routing netlink (rtnetlink(7), include/uapi/linux/rtnetlink.h): message types, groups, how to open it, and how to get
 * few of its notifications. What the messages hold is in links.ts, addresses.ts, routes.ts and others.
 */
import { type ConnectionOptions, NetlinkConnection } from "./netlink/connection.ts";
import { HEADER_LENGTH, littleEndian } from "./netlink/wire.ts";

export const NETLINK_ROUTE = 0;

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;
export const RTM_NEWNEIGH = 28;
export const RTM_GETNEIGH = 30;
export const RTM_NEWRULE = 32;
export const RTM_GETRULE = 34;
export const RTM_NEWNEXTHOP = 104;
export const RTM_GETNEXTHOP = 106;

/** enum rtnetlink_groups: what NetlinkConnection.subscribe() takes. */
export const groups = {
  links: 1,
  ipv4Addresses: 5,
  ipv4Routes: 7,
  ipv4Rules: 8,
  ipv6Addresses: 9,
  ipv6Routes: 11,
  ipv6Rules: 19,
  /** Next-hop objects, since Linux 5.3. */
  nextHops: 32,
} as const;

/** What a notification says of its object. */
export type Change<Kind extends string, T> = { readonly change: "new" | "deleted" } & Readonly<
  Record<Kind, T>
>;

/**
 * A connection to rtnetlink. Use one for notifications and another for dumps and requests: an overrun of the first then
 * costs no reply, and a socket filter on the first cannot eat dumps.
 */
export function openRtnetlink(options: Omit<ConnectionOptions, "protocol"> = {}): NetlinkConnection {
  return NetlinkConnection.open({ ...options, protocol: NETLINK_ROUTE });
}

/**
 * A socket filter (classic BPF, Documentation/networking/filter.rst) for a connection that gets route notifications: it
 * drops, in the kernel, those of prefixes longer than `longest`, so that a routing daemon that loads a million routes
 * neither wakes us nor overruns the socket.
 *
 * For notifications only. A filter judges a whole datagram, by its first message here: a notification is alone in its
 * datagram, but a part of a dump holds many messages, and a default route would be thrown away with the longer route
 * that happens to lead its datagram (netlink_dump() runs the filter too). So dumps need a connection without it.
 */
export function routeFilter(longest = 1): Uint8Array {
  const instructions: readonly Instruction[] = [
    [LOAD_HALF, 0, 0, TYPE_OFFSET],
    [JUMP_EQUAL, 1, 0, loaded(RTM_NEWROUTE)], // to: load the length
    [JUMP_EQUAL, 0, 2, loaded(RTM_DELROUTE)], // else to: accept
    [LOAD_BYTE, 0, 0, PREFIX_LENGTH_OFFSET],
    [JUMP_GREATER, 1, 0, longest], // to: drop
    [RETURN, 0, 0, 0xffffffff], // accept: all of it
    [RETURN, 0, 0, 0], // drop
  ];
  const program = new DataView(new ArrayBuffer(8 * instructions.length));
  for (const [index, [code, whenTrue, whenFalse, value]] of instructions.entries()) {
    program.setUint16(8 * index, code, littleEndian);
    program.setUint8(8 * index + 2, whenTrue);
    program.setUint8(8 * index + 3, whenFalse);
    program.setUint32(8 * index + 4, value, littleEndian);
  }
  return new Uint8Array(program.buffer);
}

/** struct sock_filter: code, jump if true, jump if false, constant. Jumps count from the next instruction. */
type Instruction = readonly [code: number, whenTrue: number, whenFalse: number, value: number];

/** nlmsg_type. */
const TYPE_OFFSET = 4;
/** rtm_dst_len, the second byte of struct rtmsg. */
const PREFIX_LENGTH_OFFSET = HEADER_LENGTH + 1;

// include/uapi/linux/bpf_common.h
const LOAD_HALF = 0x28;
const LOAD_BYTE = 0x30;
const JUMP_EQUAL = 0x15;
const JUMP_GREATER = 0x25;
const RETURN = 0x06;

/** How BPF, which loads in network byte order, sees a u16 in the host's. */
function loaded(value: number): number {
  return littleEndian ? ((value & 0xff) << 8) | (value >> 8) : value;
}
