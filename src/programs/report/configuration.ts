/** mptcpd.conf for a report: what it says, without what may be a secret. */

import { type IniEntry, type IniSection, parseIni } from "../../control/config/ini-file.ts";
import { core, keysOf, path } from "../../control/config/schema.ts";
import type { PathManagerDefinition } from "../../path-managers/runtime/api.ts";
import { hidden, isPlain, isSecretKey, type Secrets } from "./secrets.ts";

export type ShownEntry = { readonly line: number; readonly key: string; readonly value: string };
export type ShownSection = {
  readonly line: number;
  readonly name: string;
  readonly entries: readonly ShownEntry[];
};

/** What is hidden, in words for the reader of a report. */
export const hidingRule =
  'Comments are left out. Values are shown of keys that mptcpd and its built-in path managers know, and elsewhere numbers, yes and no, and addresses; all others, the arguments of exec, and what a key like "password" or "token" has are <hidden>.';

/**
 * @param builtIn the path managers whose options are known
 * @param secrets learns what is hidden
 */
export function showConfiguration(
  bytes: Uint8Array,
  builtIn: ReadonlyMap<string, PathManagerDefinition>,
  secrets: Secrets,
): { readonly sections: readonly ShownSection[]; readonly unreadableLines: readonly number[] } {
  const { sections, problems } = parseIni(bytes);
  const shown = sections.map(({ name, line, entries }) => ({
    ...{ name, line },
    entries: entries.map((entry) => ({
      ...entry,
      value: shownValue(entry, knownKeys(name, builtIn), secrets),
    })),
  }));
  // What such a line holds nobody knows, so that the whole line is kept from the log.
  const lines = new TextDecoder().decode(bytes).split("\n");
  for (const { line } of problems) secrets.hide((lines[line - 1] ?? "").trim());
  return { sections: shown, unreadableLines: [...new Set(problems.map(({ line }) => line))] };
}

/** A fault of a configuration without the words that it quotes. */
export function withoutQuotes(fault: string): string {
  return fault.replace(/".*"/g, `"${hidden}"`);
}

export function configurationText(sections: readonly ShownSection[]): string {
  const parts = sections.map(({ name, entries }) =>
    [`[${name}]\n`, ...entries.map(({ key, value }) => `${key}=${value}\n`)].join(""),
  );
  return parts.join("\n");
}

function shownValue({ key, value }: IniEntry, known: readonly string[], secrets: Secrets): string {
  // What is meant as a comment stands in the value: comments have lines of their own.
  if (known.includes(key)) return value.replace(/(?<=[ \t])#.*$/, (remark) => secrets.hide(remark));
  if (value === "") return value;
  if (key === "exec") {
    const [program = "", ...rest] = value.split(/[ \t]+/);
    if (!/^"?\/[^=]*$/.test(program)) return secrets.hide(value);
    return rest.length === 0 ? program : `${program} ${secrets.hide(rest.join(" "))}`;
  }
  return isPlain(value) && !isSecretKey(key) ? value : secrets.hide(value);
}

function knownKeys(
  name: IniSection["name"],
  builtIn: ReadonlyMap<string, PathManagerDefinition>,
): readonly string[] {
  const [kind = "", plugin = ""] = name.split(" ");
  if (name === "core") return keysOf(core) ?? [];
  if (kind === "path") return keysOf(path) ?? [];
  const options = kind === "plugin" ? builtIn.get(plugin)?.options : undefined;
  return options === undefined ? [] : (keysOf(options) ?? []);
}
