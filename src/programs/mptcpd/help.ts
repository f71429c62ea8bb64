import { version } from "../../base/version.ts";
import { type Option, options, type Print } from "./options.ts";

/** What --help, --usage and --version print, laid out as argp of the GNU C library does. */
export function textFor(print: Print): string {
  return { help, usage, version: () => `mptcpd ${version}\n` }[print]();
}

const width = 79;
const helpColumn = 29;

function help(): string {
  return [
    "Usage: mptcpd [OPTION...]",
    "Start the Multipath TCP daemon: every address of this host becomes an endpoint.",
    "",
    ...options.flatMap(describe),
    "",
    ...wrap("An option wins over the configuration file. A long option may be abbreviated.".split(" "), 0, 0),
    "Exit status: 0 stopped; 1 cannot run here; 64 wrong usage; 70 its own fault.",
    "",
  ].join("\n");
}

function usage(): string {
  const letters = options.filter(({ short, argument }) => short !== undefined && argument === undefined);
  const words = [
    "Usage:",
    "mptcpd",
    `[-${letters.map(({ short }) => short).join("")}]`,
    ...options.flatMap(({ short, argument }) => (short && argument ? [`[-${short} ${argument}]`] : [])),
    ...options.map((option) => `[${long(option)}]`),
  ];
  return `${wrap(words, 0, 12).join("\n")}\n`;
}

function describe(option: Option): string[] {
  const head = `${option.short === undefined ? "      " : `  -${option.short}, `}${long(option)}`;
  const lines = wrap(option.help.split(" "), helpColumn, helpColumn);
  const [first = "", ...rest] = lines;
  return [head.padEnd(helpColumn) + first.trimStart(), ...rest];
}

function long({ long: name, argument }: Option): string {
  return argument === undefined ? `--${name}` : `--${name}=${argument}`;
}

function wrap(words: readonly string[], firstIndent: number, indent: number): string[] {
  const lines: string[] = [];
  let line = " ".repeat(firstIndent);
  for (const word of words) {
    const next = line.trim() === "" ? line + word : `${line} ${word}`;
    if (next.length <= width) {
      line = next;
      continue;
    }
    lines.push(line);
    line = " ".repeat(indent) + word;
  }
  return [...lines, line];
}
