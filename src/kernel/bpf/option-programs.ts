/**
 * The programs for socket options: one runs before setsockopt(2), takes hints and remembers them with the socket. The
 * other runs after getsockopt(2): where MPTCP refuses, it reads what was remembered, or what TCP has.
 */
import {
  add,
  addRegister32,
  andRegister32,
  assemble,
  call,
  copy,
  exit,
  jump,
  jumpIfEqual32,
  jumpIfEqualRegister32,
  jumpIfGreaterRegister,
  jumpIfSignedAtMostRegister32,
  jumpIfSignedLess32,
  jumpUnlessEqual32,
  type Line,
  label,
  load,
  load8,
  load32,
  set,
  shiftRight32,
  store8,
  store32,
} from "./assembler.ts";
import { maxPieces } from "./number-function.ts";
import {
  context,
  findRow,
  findSlot,
  flags,
  leave,
  type OptionMaps,
  onlyConnections,
  onlyMptcp,
  piece,
  row,
  shortValues,
  unlessFlagged,
  valueInForce,
} from "./option-rows.ts";

const EINVAL = 22;

const BPF_FUNC_set_retval = 187;
const BPF_SK_STORAGE_GET_F_CREATE = 1;

/** Machine code for BPF_CGROUP_SETSOCKOPT. R8 is the value, R9 the one in force. */
export function setProgram(maps: OptionMaps): Uint8Array {
  return assemble([
    copy(6, 1),
    ...onlyMptcp,
    ...findRow(maps),
    ...unlessFlagged(flags.hint | flags.inForce, "leave"),
    // Before the value is read: a program of a cgroup below, which has left a long one to the kernel, shows none.
    ...unlessFlagged(flags.onConnections, "whenever"),
    ...onlyConnections,
    label("whenever"),
    // Some options take values of no other length.
    ...unlessFlagged(flags.inForce, "hint"),
    load32(2, 6, context.length),
    jumpUnlessEqual32(2, 4, "leave"),
    label("hint"),
    ...readValue,
    ...computeValue,
    ...unlessFlagged(flags.onConnections, "compare"),
    jump("taken"),
    label("compare"),
    ...valueInForce(maps),
    jumpIfEqualRegister32(8, 9, "taken"),
    ...unlessFlagged(flags.hint, "leave"),
    ...unlessFlagged(flags.exceptEnds, "remember"),
    jumpIfEqual32(8, 1, "leave"),
    jumpIfEqual32(8, 255, "leave"),
    label("remember"),
    ...findSlot(maps, BPF_SK_STORAGE_GET_F_CREATE, "taken"),
    set(1, 1),
    store32(0, 0, 1),
    store32(0, 4, 8),
    // The kernel is not asked.
    label("taken"),
    set(1, -1),
    store32(6, context.length, 1),
    set(0, 1),
    exit,
    label("invalid"),
    set(1, -EINVAL),
    label("refused"),
    call(BPF_FUNC_set_retval),
    set(0, 0),
    exit,
    ...leave,
  ]);
}

/** A negative length is the answer of another program, which a cgroup below has. */
const readValue: readonly Line[] = [
  load32(2, 6, context.length),
  jumpIfSignedLess32(2, 0, "leave"),
  load(3, 6, context.value),
  load(4, 6, context.end),
  // There may be more room than value.
  jumpIfSignedLess32(2, 4, "short value"),
  copy(5, 3),
  add(5, 4),
  jumpIfGreaterRegister(5, 4, "leave"),
  load32(8, 3, 0),
  jump("value"),
  label("short value"),
  load32(5, 7, row.short),
  jumpUnlessEqual32(2, 0, "how"),
  load32(5, 7, row.empty),
  label("how"),
  set(8, 0),
  jumpIfEqual32(5, shortValues.zero, "value"),
  jumpIfEqual32(5, shortValues.error, "invalid"),
  jumpIfEqual32(5, shortValues.kernel, "leave"),
  copy(5, 3),
  add(5, 1),
  jumpIfGreaterRegister(5, 4, "invalid"),
  load8(8, 3, 0),
  label("value"),
];

/** R8: the value as TCP would have it. */
const computeValue: readonly Line[] = [
  copy(2, 7),
  add(2, row.pieces),
  ...Array.from({ length: maxPieces }, () => [
    load32(3, 2, piece.upto),
    jumpIfSignedAtMostRegister32(8, 3, "piece"),
    add(2, piece.size),
  ]).flat(),
  jump("leave"),
  label("piece"),
  load32(1, 2, piece.error),
  jumpUnlessEqual32(1, 0, "refused"),
  load32(3, 2, piece.mask),
  andRegister32(8, 3),
  load32(3, 2, piece.value),
  addRegister32(8, 3),
];

const ENOPROTOOPT = 92;
const EOPNOTSUPP = 95;

/** Machine code for BPF_CGROUP_GETSOCKOPT. R8 is the length, R9 the value. */
export function getProgram(maps: OptionMaps): Uint8Array {
  return assemble([
    copy(6, 1),
    ...onlyMptcp,
    load32(1, 6, context.result),
    jumpIfEqual32(1, -EOPNOTSUPP, "kernel refuses"),
    jumpUnlessEqual32(1, -ENOPROTOOPT, "leave"),
    label("kernel refuses"),
    ...findRow(maps),
    ...unlessFlagged(flags.readable, "leave"),
    ...valueInForce(maps),
    ...lengthRead,
    ...writeValue,
    store32(6, context.length, 8),
    set(1, 0),
    store32(6, context.result, 1),
    set(0, 1),
    exit,
    ...leave,
  ]);
}

/** R8: four bytes at most. IPv4 gives small numbers as one byte where there is no room for four (do_ip_getsockopt). */
const lengthRead: readonly Line[] = [
  load32(8, 6, context.length),
  jumpIfSignedLess32(8, 0, "leave"),
  jumpIfSignedLess32(8, 4, "little room"),
  set(8, 4),
  jump("length"),
  label("little room"),
  ...unlessFlagged(flags.byteRead, "length"),
  jumpIfEqual32(8, 0, "length"),
  jumpIfSignedLess32(9, 0, "length"),
  set(1, 255),
  jumpIfSignedAtMostRegister32(9, 1, "byte"),
  jump("length"),
  label("byte"),
  set(8, 1),
  label("length"),
];

const writeValue: readonly Line[] = [
  load(3, 6, context.value),
  load(4, 6, context.end),
  ...[1, 2, 3, 4].flatMap((count) => [
    jumpIfSignedLess32(8, count, "written"),
    copy(5, 3),
    add(5, count),
    jumpIfGreaterRegister(5, 4, "leave"),
    store8(3, count - 1, 9),
    shiftRight32(9, 8),
  ]),
  label("written"),
];
