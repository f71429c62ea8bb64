import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "../../src/lab/kit/checkout.ts";

/** A fenced block: "```ini /etc/mptcpd/mptcpd.conf" has the language ini and that file. */
export type Block = { language: string; file: string; text: string; line: number };

/** What stands below a heading, to the next one. */
export type Section = { title: string; line: number; blocks: readonly Block[] };

/** A command of a console block, with the lines that the page shows below it. */
export type Step = { command: string; shown: readonly string[]; line: number };

/** A page of Markdown, by its headings. What comes before the first of them has the title "". */
export class Page {
  readonly name: string;
  readonly sections: readonly Section[];

  static read(name: string): Page {
    return new Page(name, readFileSync(join(checkout, name), "utf8"));
  }

  constructor(name: string, text: string) {
    this.name = name;
    this.sections = sectionsOf(text);
  }
}

/** Prompts are those of a shell: "# " root's, "$ " anybody's. */
export function stepsOf({ text, line }: Block): Step[] {
  const steps: { command: string; shown: string[]; line: number }[] = [];
  for (const [index, row] of text.split("\n").entries()) {
    if (/^[#$] /.test(row)) steps.push({ command: row.slice(2), shown: [], line: line + index + 1 });
    else steps.at(-1)?.shown.push(row);
  }
  return steps;
}

function sectionsOf(text: string): Section[] {
  let blocks: Block[] = [];
  const sections: Section[] = [{ title: "", line: 1, blocks }];
  let open: { fence: string; language: string; file: string; line: number; rows: string[] } | undefined;
  for (const [index, row] of text.split("\n").entries()) {
    const line = index + 1;
    if (open) {
      if (row.trimEnd() !== open.fence) open.rows.push(row);
      else {
        const { language, file, rows } = open;
        blocks.push({ language, file, text: rows.join("\n"), line: open.line });
        open = undefined;
      }
      continue;
    }
    const [, fence, language = "", file = ""] = row.match(/^(`{3,})(\S*) ?(.*)$/) ?? [];
    if (fence !== undefined) open = { fence, language, file: file.trim(), line, rows: [] };
    const [, title] = row.match(/^#+ (.*)$/) ?? [];
    if (title !== undefined) {
      blocks = [];
      sections.push({ title, line, blocks });
    }
  }
  return sections;
}
