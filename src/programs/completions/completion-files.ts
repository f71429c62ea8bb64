/** Makes the completion files of the shells. */

import { logDestinations } from "../../base/log/log.ts";
import { notifyFlags } from "../../control/config/config.ts";
import { settableFlags } from "../../control/config/values.ts";
import { builtIn } from "../../path-managers/built-in/index.ts";
import { describeProgram as describeMptcpctl } from "../mptcpctl/command-line.ts";
import { announceWordTables } from "../mptcpctl/commands/announce.ts";
import { endpointWordTables } from "../mptcpctl/commands/endpoint.ts";
import { subflowWordTables } from "../mptcpctl/commands/subflow.ts";
import type { WordTable } from "../mptcpctl/io/word-grammar.ts";
import { options as optionsOfMptcpd } from "../mptcpd/options.ts";
import { describeProgram as describeMptcpize } from "../mptcpize/command-line.ts";
import { addressModes } from "../report/address-mask.ts";
import { type Row, rowsOfCommander, rowText, type Value } from "./completion-rows.ts";

/** For each shell: the name of a program's completion file, and how the shell writes the table of rows. */
const shells = {
  bash: { name: (program: string) => program, table: (rows: readonly string[]) => rows.join("\n") },
  zsh: { name: (program: string) => `_${program}`, table: (rows: readonly string[]) => rows.join("\n") },
  fish: {
    name: (program: string) => `${program}.fish`,
    table: (rows: readonly string[]) =>
      rows.map((row) => `    '${row.replace(/[\\']/g, "\\$&")}'`).join(" \\\n"),
  },
} as const;

export const shellNames = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shellNames)[number];

/** @param sourceOf reads a file of packaging/completions/ by its name */
export function completionFiles(sourceOf: (name: string) => string): { path: string; text: string }[] {
  const programs = describePrograms();
  return shellNames.flatMap((shell) =>
    Array.from(programs, ([program, rows]) => ({
      path: `${shell}/${shells[shell].name(program)}`,
      text: fill(sourceOf, shell, program, rows),
    })),
  );
}

function fill(
  sourceOf: (name: string) => string,
  shell: Shell,
  program: string,
  rows: readonly Row[],
): string {
  const table = shells[shell].table(rows.map(rowText));
  return sourceOf(`completion.${shell}`)
    .replace("@shared@\n", () => sourceOf("shared.sh"))
    .replace("@table@", () => table)
    .replaceAll("@program@", program);
}

/** The rows of each program, made from the tables by which the program reads its command line. */
export function describePrograms(): ReadonlyMap<string, readonly Row[]> {
  return new Map([
    ["mptcpctl", rowsOfMptcpctl()],
    ["mptcpd", rowsOfMptcpd()],
    ["mptcpize", rowsOfMptcpize()],
  ]);
}

function rowsOfMptcpctl(): Row[] {
  const values = new Map<string, Value>([
    ["<namespace>", "netns"],
    ["<file>", "file"],
    ["<directory>", "directory"],
    ["<name|path>", `module:${[...builtIn.keys()].join(",")}`],
    ["<key=value>", `choice:${keysOfPlugins().join(",")}`],
    ["<how>", `choice:${addressModes.join(",")}`],
    ["record FILE", "file"],
    ["replay FILE", "file"],
    ["connections TOKEN", "token"],
    ["explain ADDRESS", "address"],
    ["explain INTERFACE", "interface"],
    ["adopt ADDRESS", "endpoint"],
  ]);
  const words = [...endpointWordTables, ...subflowWordTables, ...announceWordTables].flatMap(rowsOfWords);
  return [...rowsOfCommander(describeMptcpctl(), { optionsEverywhere: true, values }), ...words];
}

/** For a new endpoint: no id is suggested, and the address is one of this host. */
const newEndpoint = new Map<string, Value>([
  ["id", "-"],
  ["ADDRESS", "address"],
]);
const someEndpoint = new Map<string, Value>([
  ["id", "endpoint-id"],
  ["ADDRESS", "endpoint"],
]);

function rowsOfWords({ command: place, flags, keywords, other }: WordTable): Row[] {
  const isOfEndpoint = place.startsWith("endpoint") && place !== "endpoint add";
  const meanings = isOfEndpoint ? someEndpoint : newEndpoint;
  const common = new Map<string, Value>([
    ["NAME", "interface"],
    ["TOKEN", "token"],
  ]);
  return [
    ...Object.entries(keywords).map(([name, { value }]): Row => {
      return {
        place,
        kind: "keyword",
        name,
        value: meanings.get(name) ?? common.get(value) ?? "-",
        help: value,
      };
    }),
    ...flags.map((name): Row => ({ place, kind: "word", name, value: "", help: "" })),
    ...(other === undefined
      ? []
      : [{ place, kind: "argument", name: "", value: meanings.get(other.value) ?? "-", help: "" } as const]),
  ];
}

/** "subflows=": the keys in the sections of built-in path managers. */
function keysOfPlugins(): string[] {
  const keys = [...builtIn.values()].flatMap(({ options }) =>
    options !== undefined && "entries" in options ? Object.keys(options.entries ?? {}) : [],
  );
  return [...new Set(keys)].sort().map((key) => `${key}=`);
}

function rowsOfMptcpd(): Row[] {
  const plugins: Value = `plugins:${[...builtIn.keys()].join(",")}`;
  const values = new Map<string, Value>([
    ["addr-flags", `list:${settableFlags.join(",")}`],
    ["config", "file"],
    ["load-plugins", plugins],
    ["log", `choice:${logDestinations.join(",")}`],
    ["notify-flags", `list:${notifyFlags.names.join(",")}`],
    ["path-manager", plugins],
    ["plugin-dir", "directory"],
    ["runtime-dir", "directory"],
  ]);
  return optionsOfMptcpd.flatMap(({ long, short, argument, help }) => {
    const value = argument === undefined ? "" : (values.get(long) ?? "-");
    const names = short === undefined ? [`--${long}`] : [`-${short}`, `--${long}`];
    return names.map((name): Row => ({ place: "", kind: "option", name, value, help }));
  });
}

function rowsOfMptcpize(): Row[] {
  const values = new Map<string, Value>([
    ["run PROGRAM", "program"],
    ["enable UNIT", "unit"],
    ["disable UNIT", "enabled-unit"],
    ["status UNIT", "unit"],
  ]);
  return rowsOfCommander(describeMptcpize(), { optionsEverywhere: false, values });
}
