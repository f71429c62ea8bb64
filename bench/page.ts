import { matrixAsMarkdown } from "./matrix-report.ts";
import { pictureOfAddresses, pictureOfConnections } from "./pictures.ts";
import { about, asMarkdown, quantity } from "./report.ts";
import { type GrowthRun, majorVersion, type Results } from "./results.ts";

/** The pictures of docs/benchmarks.md, by their names in docs/pictures. */
export function picturesOf({ growth }: Results): ReadonlyMap<string, string> {
  if (growth.length === 0) return new Map();
  return new Map([
    [ADDRESSES, pictureOfAddresses(growth)],
    [CONNECTIONS, pictureOfConnections(growth)],
  ]);
}

const ADDRESSES = "growth-addresses.svg";
const CONNECTIONS = "growth-connections.svg";

/** The page with the results at their places. */
export function renewPage(page: string, results: Results): string {
  return parts.reduce((text, [name, write]) => replace(text, name, write(results)), page);
}

const parts: readonly (readonly [name: string, write: (results: Results) => string])[] = [
  ["results", ({ table }) => asMarkdown(table)],
  ["matrix", ({ matrix }) => matrixAsMarkdown(matrix)],
  ["growth", ({ growth }) => growthAsMarkdown(growth)],
];

function growthAsMarkdown(runs: readonly GrowthRun[]): string {
  const [first] = runs;
  if (first === undefined) return "Nothing was measured yet.";
  const { addresses, connections } = first;
  const node = `on Node ${majorVersion(first.node)}`;
  const ofAddresses = [
    `time for one more ${range(addresses, ({ ours }) => ours, "µs")}`,
    `private memory ${range(addresses, ({ memory }) => memory, "MiB")}`,
    `CPU of a full reading ${range(addresses, ({ reading }) => reading, "ms")}`,
  ];
  const ofConnections = [
    `private memory ${range(connections, ({ memory }) => memory, "MiB")}`,
    `CPU for one more ${range(connections, ({ cpu }) => cpu, "µs")}`,
    `start until ready ${range(connections, ({ start }) => start, "ms")}`,
  ];
  return [
    ...runs.map((run) => `- ${about(run)}`),
    "",
    `![${range(addresses, ({ count }) => count, "")} addresses ${node}: ${ofAddresses.join(", ")}](pictures/${ADDRESSES})`,
    "",
    `![${range(connections, ({ count }) => count, "")} connections ${node}: ${ofConnections.join(", ")}](pictures/${CONNECTIONS})`,
  ].join("\n");
}

/** From the first to the last one. */
function range<T>(all: readonly T[], read: (one: T) => number, unit: string): string {
  const [first, last] = [all.at(0), all.at(-1)].map((one) =>
    quantity(one === undefined ? null : read(one), unit),
  );
  return `${first} to ${last}`;
}

function replace(page: string, name: string, text: string): string {
  const [begin, end] = [`<!-- ${name}: npm run bench -- --docs -->`, `<!-- end of ${name} -->`];
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (after === undefined) throw new Error(`the page has no place for the ${name}: ${begin} … ${end}`);
  return `${before}${begin}\n${text}\n${end}${after}`;
}
