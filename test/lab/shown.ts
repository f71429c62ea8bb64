/**
 * Whether a command wrote what a page shows. docs/README.md tells readers the rule:
 * - a line "…" stands for any lines, "…" within a line for anything in it;
 * - blanks count as one, since columns are as wide as what stands in them, and empty lines do not count;
 * - what is different at each run (see `varying`) may differ. What is the same in two places of a page, such as a
 *   connection's token, has to be the same in both places of what was written, and in commands it becomes the real one.
 */
export class Shown {
  readonly #real = new Map<string, string>();

  /** A command of the page, with the names that what it is about has here. */
  command(text: string): string {
    return text.replaceAll(/\b\w+\b/g, (word) => this.#real.get(word) ?? word);
  }

  /** Whether these lines are the shown ones; if so, their names are known from now on. */
  matches(shown: readonly string[], written: string): boolean {
    const names: string[] = [];
    const pattern = trimmed(shown.join("\n")).map((line) => this.#pattern(line, names));
    const text = trimmed(written).map((line) => `${line}\n`);
    const match = text.join("").match(new RegExp(`^${pattern.join("")}$`));
    if (!match) return false;
    for (const [index, name] of names.entries()) {
      const real = match[index + 1];
      if (real !== undefined) this.#real.set(name, real);
    }
    return true;
  }

  #pattern(line: string, names: string[]): string {
    if (line === "…") return "(?:[^\\n]*\\n)*?";
    let pattern = "";
    let end = 0;
    for (const match of line.matchAll(anyVarying)) {
      pattern += literal(line.slice(end, match.index)) + this.#varying(match, names);
      end = match.index + match[0].length;
    }
    return `${pattern}${literal(line.slice(end))}\\n`;
  }

  #varying({ 0: text, groups = {} }: RegExpMatchArray, names: string[]): string {
    const kind = varying.find(({ name }) => groups[name] !== undefined);
    if (!kind) return literal(text);
    if (!kind.isName) return `(?:${kind.pattern})`;
    const known = this.#real.get(text);
    if (known !== undefined) return literal(known);
    const before = names.indexOf(text);
    if (before >= 0) return `\\${before + 1}`;
    names.push(text);
    return `(${kind.real ?? kind.pattern})`;
  }
}

type Kind = {
  readonly name: string;
  /** As pages show it, and as it is written; the latter only where it is not the same. */
  readonly pattern: string;
  readonly real?: string;
  readonly isName: boolean;
};

/** What is another one at each run. Names are what later commands go by. */
const varying: readonly Kind[] = [
  { name: "linkLocal", pattern: "fe80::[0-9a-f:]+", isName: false },
  // Words such as "deadbeef" are not meant, but a token may be one.
  { name: "token", pattern: "\\b(?=[0-9a-f]*\\d)[0-9a-f]{8}\\b", isName: true, real: "\\b[0-9a-f]{8}\\b" },
  { name: "port", pattern: "(?<=(?:port |port=|:))(?:3[2-9]|[45]\\d|6[0-5])\\d{3}\\b", isName: true },
  { name: "rttAndWindow", pattern: "\\b\\d+\\.\\d+ ms +\\d+", isName: false },
  { name: "amount", pattern: "\\b\\d+(?:\\.\\d+)? (?:B|KiB|MiB|GiB|ms|µs)(?!\\w)", isName: false },
  { name: "pids", pattern: "(?<=\\w)\\[\\d+\\](?: \\w+\\[\\d+\\])*", isName: false },
];

const anyVarying = new RegExp(varying.map(({ name, pattern }) => `(?<${name}>${pattern})`).join("|"), "g");

/** Its lines, without empty ones and blanks at the end. */
function trimmed(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "");
}

function literal(text: string): string {
  return text
    .replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&")
    .replaceAll(/ {2,}/g, " +")
    .replaceAll("…", "[^\\n]*");
}
