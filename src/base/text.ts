/**
 * What others may have chosen (a name, a unit, words of a recording, of the kernel or of the command line) as a terminal
 * may see it: nothing steers the terminal, hides, or changes the order of what stands beside it.
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
