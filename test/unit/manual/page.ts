/** Manual pages as the tests read them: their sections, and what is defined in those. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "../../../src/lab/kit/checkout.ts";

const directory = join(checkout, "man");

/** What a page defines: a term with a text under it. */
export interface Definition {
  /** Without markup: "-l DEST, --log=DEST". */
  readonly term: string;
  /** The words of it that are set in bold. */
  readonly bold: readonly string[];
  readonly text: string;
  /** Those inside the text. */
  readonly below: readonly Definition[];
}

export interface Section {
  readonly title: string;
  readonly text: string;
  readonly definitions: readonly Definition[];
  /** What stands in it as it is: examples. */
  readonly blocks: readonly string[];
}

/** "mptcpd.8", and so on. */
export function pageNames(): string[] {
  return readdirSync(directory).map((name) => name.replace(/\.scd$/, ""));
}

/** A page by its sections and subsections, in their order. */
export function readPage(name: string): Section[] {
  const source = readFileSync(join(directory, `${name}.scd`), "utf8");
  const parts: string[][] = [];
  let isBlock = false;
  for (const line of source.split("\n")) {
    if (line === "```") isBlock = !isBlock;
    // In an example it is a command of root's.
    if (/^##? /.test(line) && !isBlock) parts.push([]);
    parts.at(-1)?.push(line);
  }
  return parts.map(([head = "", ...lines]) => {
    const text = lines.join("\n");
    return {
      title: plain(head.replace(/^#+ /, "")),
      text: plain(text),
      definitions: definitionsIn(text.replace(block, "").split("\n")),
      blocks: Array.from(text.matchAll(block), ([, inside = ""]) => inside),
    };
  });
}

const block = /^```\n([\s\S]*?)^```$/gm;

export function sectionOf(page: string, title: string): Section {
  const section = readPage(page).find((one) => one.title === title);
  if (section === undefined) throw new Error(`${page} has no section ${title}`);
  return section;
}

/** All terms of a section, without markup. */
export function termsOf(page: string, title: string): string[] {
  return sectionOf(page, title).definitions.map(({ term }) => term);
}

/** All words in bold of a section's terms. */
export function namesOf(page: string, title: string): string[] {
  return sectionOf(page, title).definitions.flatMap(({ bold }) => bold);
}

/** A term is a line whose next one is indented deeper. */
function definitionsIn(lines: readonly string[]): Definition[] {
  const found: Definition[] = [];
  for (const [at, line] of lines.entries()) {
    if (line === "" || line.startsWith("\t") || !lines[at + 1]?.startsWith("\t")) continue;
    const rest = lines.slice(at + 1);
    const end = rest.findIndex((other) => other !== "" && !other.startsWith("\t"));
    const body = (end < 0 ? rest : rest.slice(0, end)).map((other) => other.replace(/^\t/, ""));
    found.push({
      term: plain(line),
      bold: Array.from(line.matchAll(/\*([^*]+)\*/g), ([, word = ""]) => plain(word)),
      text: plain(body.join("\n")),
      below: definitionsIn(body),
    });
  }
  return found;
}

/** A text without scdoc(5)'s markup. An underscore inside a word is none. */
function plain(text: string): string {
  const escaped: string[] = [];
  return text
    .replace(/\\(.)/g, (_, character: string) => `\0${escaped.push(character) - 1}\0`)
    .replace(/\*|\+\+$/gm, "")
    .replace(/(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])/g, "")
    .replace(/\0(\d+)\0/g, (_, index: string) => escaped[Number(index)] ?? "")
    .trim();
}
