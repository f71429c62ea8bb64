/** The syntax of unit files: systemd.syntax(7), and config_parse() in systemd's src/shared/conf-parser.c. */

export type Assignment = {
  readonly section: string;
  readonly key: string;
  /** As it is written, continuation lines joined. "" takes back what was assigned to the key before. */
  readonly value: string;
  readonly file: string;
  /** On which line of the file it begins, from 1. */
  readonly line: number;
};

/** Lines that systemd ignores with a warning are left out, and what it does not read: all after a broken heading. */
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

/** Without comments, which count as nothing also between the lines of one assignment, and without blanks around. */
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

/** What systemd takes for blanks (WHITESPACE in its src/basic/string-util.h). */
function strip(text: string): string {
  return text.replace(/^[ \t\n\r]+|[ \t\n\r]+$/g, "");
}
