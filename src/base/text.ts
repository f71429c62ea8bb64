/** Text that others can choose, made safe for a terminal, and the words of messages. */

/**
 * Makes text safe for a terminal that others may have chosen (a name, a unit, words of a recording, of the kernel or of
 * the command line): nothing steers the terminal, hides, or changes the order of what stands beside it.
 */
export function escapeControls(text: string): string {
  return text.replace(unsafe, escaped);
}

/** The same for a text of several lines, of which "\n" and "\t" stay: what a program writes passes through here. */
export function escapeLines(text: string): string {
  return text.replace(unsafe, (one) => (one === "\n" || one === "\t" ? one : escaped(one)));
}

/** A message as one line: none of its parts begins a line of its own. */
export function oneLine(message: string): string {
  return escapeControls(message.trim().replace(/\s*[\r\n]\s*|\t+/g, " "));
}

/**
 * Controls (C0, DEL, C1), characters without a glyph (marks of direction among them), separators of lines, and half
 * characters. Also where JSON allows them: the escape is JSON's, so that JSON stays what it is.
 */
export const unsafe = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}

/** The text's beginning, at most so many UTF-16 units: a datagram has to fit into the socket's send buffer. */
export function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}...` : text;
}

/** Text from outside as a message may show it: short, in quotes, and without characters that steer a terminal. */
export function quote(text: string, { raw = false } = {}): string {
  const short = text.length > 60 ? `${text.slice(0, 57)}...` : text;
  const escaped = raw ? short : short.replace(/["\\]/g, "\\$&");
  return `"${escapeControls(escaped)}"`;
}

/** "a", "a or b", "a, b or c". */
export function either(words: readonly string[]): string {
  return listed(words, "or");
}

/** "a", "a and b", "a, b and c". */
export function all(words: readonly string[]): string {
  return listed(words, "and");
}

/** The parts of "NAME=VALUE", as an environment has them. */
export function splitAssignment(text: string): [name: string, value: string] {
  const at = text.indexOf("=");
  return [text.slice(0, at), text.slice(at + 1)];
}

/** " (did you mean NAME?)" to append to a message about a word that is not one of `words`; empty if none is near. */
export function didYouMean(word: string, words: readonly string[]): string {
  const meant = nearest(word, words);
  return meant === undefined ? "" : ` (did you mean ${meant}?)`;
}

/** The word that was probably meant: at most two letters away, case aside; undefined if none is that near. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.min(3, Math.ceil(word.length / 2));
  for (const candidate of words) {
    const letters = distance(word.toLowerCase(), candidate.toLowerCase(), least);
    if (letters < least) {
      best = candidate;
      least = letters;
    }
  }
  return best;
}

function listed(words: readonly string[], conjunction: string): string {
  const last = words.at(-1) ?? "";
  return words.length < 2 ? last : `${words.slice(0, -1).join(", ")} ${conjunction} ${last}`;
}

/** How many letters were inserted, deleted, replaced or swapped with their neighbour; at most `limit`. */
function distance(from: string, to: string, limit: number): number {
  if (Math.abs(from.length - to.length) >= limit) return limit;
  const [letters, others] = [[...from], [...to]];
  let [last, row]: [number[], number[]] = [
    [],
    Array.from({ length: others.length + 1 }, (_, index) => index),
  ];
  for (const [i, letter] of letters.entries()) {
    const next = [i + 1];
    for (const [j, other] of others.entries()) {
      const replaced = (row[j] ?? limit) + (letter === other ? 0 : 1);
      const isSwapped = i > 0 && j > 0 && letter === others[j - 1] && letters[i - 1] === other;
      const swapped = isSwapped ? (last[j - 1] ?? limit) + 1 : limit;
      next.push(Math.min(replaced, swapped, (row[j + 1] ?? limit) + 1, (next[j] ?? limit) + 1));
    }
    [last, row] = [row, next];
  }
  return Math.min(limit, row.at(-1) ?? limit);
}

/** The value of a text in JSON; undefined where the text is not JSON, such as a line that was cut short. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
