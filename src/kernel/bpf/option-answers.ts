/**
 * How the running kernel treats the options of the table: which of them it refuses on sockets of MPTCP, and what TCP
 * does with them. Found by trying, so that newer kernels, which take more, are left alone, and no default is written
 * down.
 */

import { closeSync } from "node:fs";
import { addon, check, SystemError } from "../netlink/addon.ts";
import { beforeConnection, type OptionClass, optionTable } from "../option-table.ts";
import { AF_INET, AF_INET6, IPPROTO_MPTCP, IPPROTO_TCP } from "../socket-numbers.ts";
import { asItIs, describeFunction, type Outcome, type Piece } from "./number-function.ts";

/** How TCP reads values that are shorter than a number; "kernel" leaves them to the kernel. */
export type ShortValue = "kernel" | "error" | "byte" | "zero";

/** For an option that MPTCP refuses, on sockets of one family. */
export type OptionAnswer = {
  readonly family: number;
  readonly level: number;
  readonly option: number;
  readonly name: string;
  /**
   * How we answer a program that sets it. "kernel": the kernel answers. "in force": success if the value is in force.
   * "hint": success for every value that TCP takes. "on connections": the same, if there is a connection.
   */
  readonly set: "kernel" | "in force" | "hint" | "on connections";
  /** The values 1 and 255 are no hints. */
  readonly exceptEnds: boolean;
  /** What TCP has when nobody set it; undefined if reading it is the kernel's business. */
  readonly initial: number | undefined;
  /** Where there is no room for a whole number, small ones are read as one byte (do_ip_getsockopt, net/ipv4). */
  readonly byteRead: boolean;
  /** How a value of no bytes is read, and one of up to three. */
  readonly empty: ShortValue;
  readonly short: ShortValue;
  readonly pieces: readonly Piece[];
};

const LEVEL_IPV6 = 41;
const ENOPROTOOPT = 92;
const EOPNOTSUPP = 95;
const refusals: readonly unknown[] = [ENOPROTOOPT, EOPNOTSUPP];

/** Reads a clock. */
const clocks = ["TCP_TIMESTAMP"];

/** Throws a SystemError if no sockets can be made. */
export function learnAnswers(): OptionAnswer[] {
  // TCP treats a number alike in both families.
  const hints = new Map<string, Setting>();
  return [families.ipv4, families.ipv6].flatMap((family) => {
    try {
      return learnFamily(family, hints);
    } catch (error) {
      if (error instanceof SystemError && error.code === "EAFNOSUPPORT") return [];
      throw error;
    }
  });
}

function learnFamily(family: number, hints: Map<string, Setting>): OptionAnswer[] {
  const rows = optionTable.filter(([level]) => level !== LEVEL_IPV6 || family === families.ipv6);
  return withSocket(family, protocols.tcp, (tcp) =>
    withSocket(family, protocols.mptcp, (mptcp) =>
      rows.flatMap(
        ([level, option, name, optionClass]) =>
          learn({ family, level, option, name, optionClass }, { tcp, mptcp, hints }) ?? [],
      ),
    ),
  );
}

type Row = { family: number; level: number; option: number; name: string; optionClass: OptionClass };

type Known = {
  /** Nothing is set on this one. */
  readonly tcp: OptionSocket;
  readonly mptcp: OptionSocket;
  readonly hints: Map<string, Setting>;
};

/** Undefined where there is nothing to answer. */
function learn(row: Row, { tcp, mptcp, hints }: Known): OptionAnswer | undefined {
  const { family, level, option, name, optionClass } = row;
  const isLate = beforeConnection.some(([ofLevel, number]) => ofLevel === level && number === option);
  const isReadable = refusals.includes(mptcp.get(level, option)) && !clocks.includes(name);
  const initial = isReadable ? numberOf(tcp.get(level, option)) : undefined;
  const isHint = optionClass.startsWith("HINT");
  // Nothing else is tried: names, filters and the like might have the kernel load modules.
  if (!isHint && !isLate && initial === undefined) return undefined;
  const isSettable = [initial ?? 0, 0, 1].some((value) =>
    refusals.includes(mptcp.set(level, option, number(value))),
  );
  const setting = !isSettable
    ? isLate
      ? onConnections(row)
      : kernels
    : isHint
      ? (hints.get(name) ?? hint(row, initial))
      : inForce(row, initial);
  if (setting.set === "hint") hints.set(name, setting);
  if (setting.set === "kernel" && initial === undefined) return undefined;
  const byteRead = initial !== undefined && lengthOf(tcp.get(level, option, 2)) === 1;
  const exceptEnds = optionClass === "HINT_EXCEPT_1_255";
  return { family, level, option, name, initial, byteRead, exceptEnds, ...setting };
}

type Setting = Pick<OptionAnswer, "set" | "empty" | "short" | "pieces">;

const kernels: Setting = { set: "kernel", empty: "kernel", short: "kernel", pieces: [] };

function hint(row: Row, initial: number | undefined): Setting {
  const pieces = fresh(row, (socket) => describeFunction((input) => outcomeOf(socket, row, number(input))));
  // An option that takes no number takes something else.
  if (initial === undefined && pieces.every(({ error }) => error !== 0)) return kernels;
  return { set: "hint", ...shortValues(row), pieces };
}

/** MPTCP takes the option itself until there is a connection. */
function onConnections(row: Row): Setting {
  const setting = hint(row, 0);
  return setting.set === "hint" ? { ...setting, set: "on connections" } : kernels;
}

/** What setting an option has no effect for: the value that it has. */
function inForce(row: Row, initial: number | undefined): Setting {
  if (initial === undefined) return kernels;
  const outcome = fresh(row, (socket) => outcomeOf(socket, row, number(initial)));
  if (!("value" in outcome) || outcome.value !== initial) return kernels;
  return { ...kernels, set: "in force", pieces: asItIs };
}

function shortValues(row: Row): Pick<OptionAnswer, "empty" | "short"> {
  const outcome = (value: Uint8Array) => fresh(row, (socket) => outcomeOf(socket, row, value));
  const read = (value: Uint8Array, as: number): ShortValue => {
    const result = outcome(value);
    if ("error" in result) return "error";
    return result.value === readBack(outcome(number(as))) ? "byte" : "zero";
  };
  const taken = [2, 1].find((byte) => "value" in outcome(number(byte)));
  return {
    empty: "value" in outcome(Buffer.alloc(0)) ? "zero" : "error",
    short: taken === undefined ? "error" : read(Uint8Array.of(taken), taken),
  };
}

function readBack(outcome: Outcome): number | undefined {
  return "value" in outcome ? outcome.value : undefined;
}

function outcomeOf(socket: OptionSocket, { level, option }: Row, value: Uint8Array): Outcome {
  const error = socket.set(level, option, value);
  if (error !== 0) return { error };
  // Some can be read only on a connection.
  const read = numberOf(socket.get(level, option));
  return { value: read ?? (value.length === 4 ? Buffer.from(value).readInt32LE() : 0) };
}

/** With a socket of TCP on which nothing was set. */
function fresh<Result>({ family }: Row, use: (socket: OptionSocket) => Result): Result {
  return withSocket(family, protocols.tcp, use);
}

function number(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function lengthOf(value: Uint8Array | number): number | undefined {
  return typeof value === "number" ? undefined : value.length;
}

function numberOf(value: Uint8Array | number): number | undefined {
  return typeof value !== "number" && value.length === 4 ? Buffer.from(value).readInt32LE() : undefined;
}

export const families = { ipv4: AF_INET, ipv6: AF_INET6 } as const;
export const protocols = { tcp: IPPROTO_TCP, mptcp: IPPROTO_MPTCP } as const;

/** Calls `use` with a fresh stream socket, which is closed then. Throws a SystemError if there can be none. */
export function withSocket<Result>(
  family: number,
  protocol: number,
  use: (socket: OptionSocket) => Result,
): Result {
  const fd = check("make socket", addon().optionSocket(family, protocol));
  try {
    return use(new OptionSocket(fd));
  } finally {
    closeSync(fd);
  }
}

/** Sets and gets options of a socket that nobody else has. */
export class OptionSocket {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** @returns 0, or the errno */
  set(level: number, option: number, value: Uint8Array): number {
    return Math.abs(addon().setOption(this.#fd, level, option, value));
  }

  /** What getsockopt(2) gives for a buffer of so many bytes: the value, or the errno. */
  get(level: number, option: number, size = 64): Uint8Array | number {
    const room = new Uint8Array(size);
    const length = addon().getOption(this.#fd, level, option, room);
    return length < 0 ? -length : room.subarray(0, length);
  }
}
