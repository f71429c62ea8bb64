/**
 * The lines that the two programs for socket options share (Documentation/bpf/prog_cgroup_sockopt.rst). Their only knowledge
 * of options is the map of option-rows.ts. R6 is the context, R7 the option's row.
 */
import {
  add,
  addRegister,
  and32,
  call,
  copy,
  exit,
  jumpIfEqual32,
  jumpIfSignedLess32,
  jumpIfZero,
  jumpUnlessEqual32,
  type Line,
  label,
  load,
  load32,
  set,
  setMap,
  store32,
} from "./assembler.ts";
import { maxSlots, row, slotSize } from "./option-rows.ts";

/** The file descriptors of rows and of what sockets remember. */
export type OptionMaps = { readonly rows: number; readonly storage: number };

/** struct bpf_sockopt, include/uapi/linux/bpf.h */
export const context = {
  socket: 0,
  value: 8,
  end: 16,
  level: 24,
  option: 28,
  length: 32,
  result: 36,
} as const;

/** struct bpf_sock */
const socket = { family: 4, protocol: 12, state: 72 } as const;

/** include/net/tcp_states.h */
const TCP_CLOSE = 7;
const TCP_LISTEN = 10;

const IPPROTO_MPTCP = 262;

const BPF_FUNC_map_lookup_elem = 1;
const BPF_FUNC_sk_storage_get = 107;

/** The kernel copies no more of a value than a page, and wants to be told that the rest is not meant to change. */
const smallestPage = 4096;

/** R7 is the socket then. */
export const onlyMptcp: readonly Line[] = [
  load(7, 6, context.socket),
  load32(1, 7, socket.protocol),
  jumpUnlessEqual32(1, IPPROTO_MPTCP, "leave"),
];

export function findRow({ rows }: OptionMaps): readonly Line[] {
  return [
    load32(1, 7, socket.family),
    store32(10, -16, 1),
    load32(1, 6, context.level),
    store32(10, -12, 1),
    load32(1, 6, context.option),
    store32(10, -8, 1),
    set(1, 0),
    store32(10, -4, 1),
    ...setMap(1, rows),
    copy(2, 10),
    add(2, -16),
    call(BPF_FUNC_map_lookup_elem),
    jumpIfZero(0, "leave"),
    copy(7, 0),
  ];
}

/** Leaves a socket to the kernel that never had a connection. */
export const onlyConnections: readonly Line[] = [
  load(1, 6, context.socket),
  load32(1, 1, socket.state),
  jumpIfEqual32(1, TCP_CLOSE, "leave"),
  jumpIfEqual32(1, TCP_LISTEN, "leave"),
];

/** Goes on at `target` unless the option's row has one of these flags. */
export function unlessFlagged(flags: number, target: string): readonly Line[] {
  return [load32(1, 7, row.flags), and32(1, flags), jumpIfEqual32(1, 0, target)];
}

/** R9: what was remembered, or else what TCP has from the start. */
export function valueInForce(maps: OptionMaps): readonly Line[] {
  return [
    load32(9, 7, row.initial),
    ...findSlot(maps, 0, "in force"),
    load32(1, 0, 0),
    jumpIfEqual32(1, 0, "in force"),
    load32(9, 0, 4),
    label("in force"),
  ];
}

/** R0: the option's slot of the socket. Without one, the program goes on at `otherwise`. */
export function findSlot({ storage }: OptionMaps, how: number, otherwise: string): readonly Line[] {
  return [
    ...setMap(1, storage),
    load(2, 6, context.socket),
    set(3, 0),
    set(4, how),
    call(BPF_FUNC_sk_storage_get),
    jumpIfZero(0, otherwise),
    load32(1, 7, row.slot),
    // The verifier does not know the map's rows.
    and32(1, (maxSlots - 1) * slotSize),
    addRegister(0, 1),
  ];
}

/** The kernel's answer stands. */
export const leave: readonly Line[] = [
  label("leave"),
  load32(1, 6, context.length),
  jumpIfSignedLess32(1, smallestPage + 1, "as it is"),
  set(1, 0),
  store32(6, context.length, 1),
  label("as it is"),
  set(0, 1),
  exit,
];
