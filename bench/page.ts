import { matrixAsMarkdown } from "./matrix.ts";
import { pictureOfAddresses, pictureOfConnections } from "./pictures.ts";
import { about, asMarkdown } from "./report.ts";
import type { Results } from "./results.ts";

/** The pictures of docs/benchmarks.md, by their names in docs/pictures. */
export function picturesOf({ growth }: Results): ReadonlyMap<string, string> {
  if (growth.length === 0) return new Map();
  return new Map([
    ["growth-addresses.svg", pictureOfAddresses(growth)],
    ["growth-connections.svg", pictureOfConnections(growth)],
  ]);
}

/** The page with the results at their places. */
export function renewPage(page: string, results: Results): string {
  return parts.reduce((text, [name, write]) => replace(text, name, write(results)), page);
}

const parts: readonly (readonly [name: string, write: (results: Results) => string])[] = [
  ["results", ({ table }) => asMarkdown(table)],
  [
    "matrix",
    ({ matrix }) => [...matrix.map((run) => `- ${about(run)}`), "", matrixAsMarkdown(matrix)].join("\n"),
  ],
  ["growth", ({ growth }) => growth.map((run) => `- ${about(run)}`).join("\n")],
];

function replace(page: string, name: string, text: string): string {
  const [begin, end] = [`<!-- ${name}: npm run bench -- --docs -->`, `<!-- end of ${name} -->`];
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (after === undefined) throw new Error(`the page has no place for the ${name}: ${begin} … ${end}`);
  return `${before}${begin}\n${text}\n${end}${after}`;
}
