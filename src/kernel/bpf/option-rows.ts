/** The options that the BPF programs answer for, as they find them in their map: native integers of 32 bits. */
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
