import { HEADER_LENGTH, littleEndian } from "./netlink/wire.ts";
import { RTM_DELROUTE, RTM_NEWROUTE } from "./rtnetlink.ts";

/**
 * A socket filter (classic BPF, Documentation/networking/filter.rst) for a connection that gets route notifications: it
 * drops, in the kernel, those of prefixes longer than `longest`, so that a routing daemon that loads a million routes neither
 * wakes us nor overruns the socket.
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
