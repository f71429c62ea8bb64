/** The program after getsockopt(2): where MPTCP refuses, it reads what was remembered, or what TCP has. */
import {
  add,
  assemble,
  copy,
  exit,
  jump,
  jumpIfEqual32,
  jumpIfGreaterRegister,
  jumpIfSignedAtMostRegister32,
  jumpIfSignedLess32,
  jumpUnlessEqual32,
  type Line,
  label,
  load,
  load32,
  set,
  shiftRight32,
  store8,
  store32,
} from "./assembler.ts";
import {
  context,
  findRow,
  leave,
  type OptionMaps,
  onlyMptcp,
  unlessFlagged,
  valueInForce,
} from "./option-lines.ts";
import { flags } from "./option-rows.ts";

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
