/**
 * The syntax of unit files: systemd.syntax(7), and config_parse() in systemd's src/shared/conf-parser.c. Words, quotes
 * and escapes follow "Quoting" in that page, and extract_first_word() in src/basic/extract-word.c with EXTRACT_UNQUOTE
 * and EXTRACT_CUNESCAPE.
 */

export type Assignment = {
  readonly section: string;
  readonly key: string;
  /** As written, with continuation lines joined. "" cancels the earlier values of the key. */
  readonly value: string;
  readonly file: string;
  /** The line of the file on which it begins, from 1. */
  readonly line: number;
};

/**
 * Leaves out lines that systemd ignores with a warning, and everything after a broken heading, where it stops reading.
 */
export function parseUnitFile(text: string, file: string): Assignment[] {
  const assignments: Assignment[] = [];
  let section: string | undefined;
  for (const { text: content, line } of joinedLines(text)) {
    if (content.startsWith("[")) {
      if (!content.endsWith("]")) break;
      section = content.slice(1, -1);
      continue;
    }
    const equals = content.indexOf("=");
    if (section === undefined || equals < 0) continue;
    const key = strip(content.slice(0, equals));
    const value = strip(content.slice(equals + 1));
    if (key !== "") assignments.push({ section, key, value, file, line });
  }
  return assignments;
}

type Line = { readonly text: string; readonly line: number };

/** Lines without comments and surrounding blanks. Comments are dropped also between the lines of one assignment. */
function* joinedLines(text: string): Iterable<Line> {
  let begun: Line | undefined;
  for (const [index, physical] of text
    .replace(/^\u{feff}/u, "")
    .split(lineEnd)
    .entries()) {
    if (/^[ \t]*[#;]/.test(physical)) continue;
    const whole: Line = { text: (begun?.text ?? "") + physical, line: begun?.line ?? index + 1 };
    begun = undefined;
    if (endsInEscape(whole.text)) begun = { ...whole, text: `${whole.text.slice(0, -1)} ` };
    else yield { ...whole, text: strip(whole.text) };
  }
  if (begun !== undefined) yield { ...begun, text: strip(begun.text) };
}

/** read_line_full() of src/basic/fileio.c. */
const lineEnd = /\r\n|\n\r|\n|\r/;

/** A backslash that is itself escaped does not continue the line. */
function endsInEscape(text: string): boolean {
  const backslashes = /\\+$/.exec(text)?.[0].length ?? 0;
  return backslashes % 2 === 1;
}

/** Strips the characters that systemd counts as blanks (WHITESPACE in its src/basic/string-util.h). */
function strip(text: string): string {
  return text.replace(/^[ \t\n\r]+|[ \t\n\r]+$/g, "");
}

export type Word = {
  /**
   * Without quotes and escapes; specifiers (%) and variables ($) stay as they are. Bytes that are not UTF-8, which
   * escapes can produce, become U+FFFD.
   */
  readonly text: string;
  /** As written. */
  readonly raw: string;
  /** The end of `raw` in the value. */
  readonly end: number;
};

/** How to treat an escape that systemd does not know: stop reading, or keep it as written. */
export type UnknownEscapes = "refuse" | "keep";

/** Throws a UnitSyntaxError for an open quote, or for an unknown escape. */
export function splitWords(value: string, unknownEscapes: UnknownEscapes = "refuse"): Word[] {
  return [...readWords(value, unknownEscapes)];
}

/** The words before the first error. */
export function validWords(value: string, unknownEscapes: UnknownEscapes = "refuse"): Word[] {
  const words: Word[] = [];
  try {
    for (const word of readWords(value, unknownEscapes)) words.push(word);
  } catch (error) {
    if (!(error instanceof UnitSyntaxError)) throw error;
  }
  return words;
}

/** The text as one word, in quotes if it needs them. `%` and `$` stay as they are. */
export function quoteWord(text: string): string {
  const escaped = text.replaceAll(/[\\"\n\t\r]/g, (character) => escapes.get(character) ?? `\\${character}`);
  return text === "" || escaped !== text || /[\s';#]/.test(text) ? `"${escaped}"` : text;
}

/** Escapes text in which `%` means itself. */
export function escapeSpecifiers(text: string): string {
  return text.replaceAll("%", "%%");
}

const escapes = new Map([
  ["\n", "\\n"],
  ["\t", "\\t"],
  ["\r", "\\r"],
]);

function* readWords(value: string, unknownEscapes: UnknownEscapes): Iterable<Word> {
  for (let start = skipBlanks(value, 0); start < value.length; ) {
    const word = readWord(value, start, unknownEscapes);
    yield word;
    start = skipBlanks(value, word.end);
  }
}

function readWord(value: string, start: number, unknownEscapes: UnknownEscapes): Word {
  const pieces: Buffer[] = [];
  let quote = "";
  let at = start;
  while (at < value.length) {
    const character = value.charAt(at);
    if (quote === "" && isBlank(character)) break;
    const escaped = character === "\\" ? readEscape(value, at) : undefined;
    if (character === "\\" && escaped === undefined && unknownEscapes === "refuse")
      throw new UnitSyntaxError(`systemd does not know the escape ${value.slice(at, at + 2)} in: ${value}`);
    if (escaped !== undefined) {
      pieces.push(escaped.bytes);
      at = escaped.end;
    } else if (character === quote) {
      quote = "";
      at++;
    } else if (quote === "" && (character === '"' || character === "'")) {
      quote = character;
      at++;
    } else {
      const end = plainEnd(value, at + (character === "\\" ? 2 : 1));
      pieces.push(Buffer.from(value.slice(at, end)));
      at = end;
    }
  }
  if (quote !== "") throw new UnitSyntaxError(`a quote is not closed in: ${value}`);
  return { text: Buffer.concat(pieces).toString(), raw: value.slice(start, at), end: at };
}

/** The position of the next character that may have a meaning. */
function plainEnd(value: string, start: number): number {
  const length = value.slice(start).search(/[\\"' \t\n\r]/);
  return length === -1 ? value.length : start + length;
}

function isBlank(character: string): boolean {
  return " \t\n\r".includes(character);
}

function skipBlanks(value: string, start: number): number {
  let at = start;
  while (at < value.length && isBlank(value.charAt(at))) at++;
  return at;
}

/** Text that systemd would refuse, too. The message is one line. */
export class UnitSyntaxError extends Error {
  override readonly name = "UnitSyntaxError";
  readonly code = "UNIT_SYNTAX";
}

/** An escape as in C: cunescape_one() in systemd's src/basic/escape.c. */
export type Escape = {
  /** Octal and \x escapes stand for single bytes; several of them may form one UTF-8 character. */
  readonly bytes: Buffer;
  /** The position after the escape. */
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
