/**
 * What the two programs for socket options share (Documentation/bpf/prog_cgroup_sockopt.rst): the map of the options
 * that they answer for, a row of native integers of 32 bits each, and the lines that find a row and read it. In these,
 * R6 is the context, R7 the option's row.
 */

import { IPPROTO_MPTCP } from "../socket-numbers.ts";
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
import { maxPieces, type Piece } from "./number-function.ts";
import type { OptionAnswer, ShortValue } from "./option-answers.ts";

/** Family, level and number of the option; the padding keeps eight bytes at a time. */
export const keySize = 16;

/** Offsets within a row. */
export const row = { slot: 0, flags: 4, initial: 8, empty: 12, short: 16, pieces: 20 } as const;

/** Offsets within a piece. */
export const piece = { upto: 0, error: 4, mask: 8, value: 12, size: 16 } as const;

export const rowSize = row.pieces + maxPieces * piece.size;

export const flags = {
  hint: 1,
  inForce: 2,
  readable: 4,
  exceptEnds: 8,
  byteRead: 16,
  onConnections: 32,
} as const;

export const shortValues: Readonly<Record<ShortValue, number>> = { kernel: 0, error: 1, byte: 2, zero: 3 };

/** A slot of a socket's memory: whether it was set, and the value. The first is never set. */
export const slotSize = 8;
export const maxSlots = 64;

export type EncodedRow = { readonly key: Buffer; readonly value: Buffer };

/** Throws an Error for more options than there are slots: a fault of the table. */
export function encodeRows(answers: readonly OptionAnswer[]): EncodedRow[] {
  const slots = new Map<string, number>();
  return answers.map((answer) => {
    const { family, level, option, set } = answer;
    const name = `${level}/${option}`;
    if (set === "hint" && !slots.has(name)) slots.set(name, slots.size + 1);
    if (slots.size >= maxSlots) throw new Error(`more than ${maxSlots - 1} options to remember`);
    return { key: integers([family, level, option, 0]), value: encode(answer, slots.get(name) ?? 0) };
  });
}

function encode(answer: OptionAnswer, slot: number): Buffer {
  const { set, initial, byteRead, exceptEnds, empty, short, pieces } = answer;
  const bits =
    (set === "hint" ? flags.hint : 0) |
    (set === "in force" ? flags.inForce : 0) |
    (set === "on connections" ? flags.hint | flags.onConnections : 0) |
    (initial === undefined ? 0 : flags.readable) |
    (exceptEnds ? flags.exceptEnds : 0) |
    (byteRead ? flags.byteRead : 0);
  const head = [slot * slotSize, bits, initial ?? 0, shortValues[empty], shortValues[short]];
  const bytes = Buffer.alloc(rowSize);
  integers([...head, ...pieces.flatMap(encodePiece)]).copy(bytes);
  return bytes;
}

/** The program takes the error negative. */
function encodePiece({ upto, error, mask, value }: Piece): number[] {
  return [upto, -error, mask, value];
}

function integers(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeInt32LE(value | 0, 4 * index);
  return bytes;
}

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
