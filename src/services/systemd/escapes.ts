/** Escapes as in C: cunescape_one() in systemd's src/basic/escape.c. */

export type Escape = {
  /** Octal and \x stand for bytes, of which several together may be one character of UTF-8. */
  readonly bytes: Buffer;
  /** Behind the escape. */
  readonly end: number;
};

/** The escape whose backslash is at `at`; undefined for one that systemd does not know. */
export function readEscape(text: string, at: number): Escape | undefined {
  const letter = letters.get(text.charAt(at + 1));
  if (letter !== undefined) return { bytes: Buffer.from(letter), end: at + 2 };
  numeric.lastIndex = at + 1;
  const [whole, hexadecimal, octal, short, long] = numeric.exec(text) ?? [];
  const code = octal ? Number.parseInt(octal, 8) : Number.parseInt(hexadecimal ?? short ?? long ?? "", 16);
  const isByte = (octal ?? hexadecimal) !== undefined;
  if (whole === undefined || !(code > 0) || code > (isByte ? 0xff : 0x10ffff)) return undefined;
  const bytes = isByte ? Buffer.from([code]) : Buffer.from(String.fromCodePoint(code));
  return { bytes, end: at + 1 + whole.length };
}

const numeric = /x([\da-fA-F]{2})|([0-7]{3})|u([\da-fA-F]{4})|U([\da-fA-F]{8})/y;

const letters = new Map([
  ["a", "\x07"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["v", "\v"],
  ["\\", "\\"],
  ['"', '"'],
  ["'", "'"],
  ["s", " "],
]);
