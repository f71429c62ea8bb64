/**
 * Environment= and EnvironmentFile= of systemd.exec(5), and the files that EnvironmentFile= names. In systemd:
 * config_parse_environ() in src/core/load-fragment.c, parse_env_file_internal() in src/basic/env-file.c.
 */

import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { namesIn } from "../../base/files.ts";
import { compileGlob } from "../../base/glob.ts";
import { type Assignment, validWords } from "./unit-syntax.ts";

/** The variables that Environment= sets, by name. Specifiers in values are not expanded. */
export function environmentAssignments(assignments: readonly Assignment[]): Map<string, string> {
  const environment = new Map<string, string>();
  for (const { section, key, value } of assignments) {
    if (section !== "Service" || key !== "Environment") continue;
    if (value === "") environment.clear();
    // systemd stops reading at an error, but uses the words before it.
    for (const { text } of validWords(value)) {
      const [, name, content] = /^([A-Za-z_]\w*)=(.*)$/s.exec(text) ?? [];
      if (name !== undefined && content !== undefined) environment.set(name, content);
    }
  }
  return environment;
}

export type EnvironmentFile = { readonly path: string; readonly optional: boolean };

/**
 * The files of EnvironmentFile=, in the order in which systemd reads them. Specifiers in paths are not expanded.
 * systemd ignores paths that are not absolute.
 */
export function environmentFiles(assignments: readonly Assignment[]): EnvironmentFile[] {
  let files: EnvironmentFile[] = [];
  for (const { section, key, value } of assignments) {
    if (section !== "Service" || key !== "EnvironmentFile") continue;
    const [, optional, path] = /^(-?)([/%].*)$/s.exec(value) ?? [];
    if (value === "") files = [];
    if (path !== undefined) files = [...files, { path, optional: optional === "-" }];
  }
  return files;
}

/** The variables that a file for EnvironmentFile= sets. */
export function parseEnvironmentFile(text: string): Map<string, string> {
  const environment = new Map<string, string>();
  const reader = new Reader(text);
  while (!reader.atEnd) {
    reader.take(/[ \t\n\r]*/y);
    // A backslash continues a comment, too.
    if (reader.take(/[#;](?:\\.|[^\\\n\r])*/sy)) continue;
    const [name = ""] = reader.take(/.[^=\n\r]*/sy) ?? [];
    if (!reader.take(/=/y)) continue;
    const value = readValue(reader);
    const [, valid] = /^([A-Za-z_]\w*)[ \t]*$/.exec(name) ?? [];
    if (valid !== undefined) environment.set(valid, value);
  }
  return environment;
}

/** The text of a file from which `parseEnvironmentFile` and systemd read these variables. */
export function formatEnvironmentFile(values: ReadonlyMap<string, string>): string {
  const quoted = (value: string) => `"${value.replaceAll(/["\\`$]/g, "\\$&")}"`;
  return [...values].map(([name, value]) => `${name}=${quoted(value)}\n`).join("");
}

/** Quoted pieces, then a bare piece up to the end of the line. Blanks before, between and after them do not count. */
function readValue(reader: Reader): string {
  let value = "";
  for (;;) {
    reader.take(/[ \t]*/y);
    const single = reader.take(/'([^']*)'?/y);
    const double = reader.take(/"((?:\\.|[^"\\])*)(?:"|\\?$)/sy);
    if (single === null && double === null) break;
    value += (single?.[1] ?? "") + unescapeDouble(double?.[1] ?? "");
  }
  const [bare = ""] = reader.take(/(?:[ \t]*(?:\\.?|[^\\ \t\n\r]))*/sy) ?? [];
  reader.take(/[ \t]*/y);
  return value + bare.replaceAll(/\\(.?)/gs, (_, character: string) => character.replace(/[\n\r]/, ""));
}

/** SHELL_NEED_ESCAPE of src/basic/escape.h. Other backslashes stay, except those that continue a line. */
function unescapeDouble(text: string): string {
  return text.replaceAll(/\\(["\\`$\n])/g, (_, character: string) => (character === "\n" ? "" : character));
}

/** Reads a text piece by piece. */
class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  /** @param pattern must be sticky */
  take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found !== null) this.#at = pattern.lastIndex;
    return found;
  }
}

/**
 * The variables of all files that a path of EnvironmentFile= names; the path may be a glob. A file that cannot be read
 * gives no variables: systemd will report it when the unit starts.
 */
export function readEnvironmentFiles(path: string): Map<string, string> {
  const variables = new Map<string, string>();
  for (const file of expand(path))
    for (const [name, value] of parseEnvironmentFile(textOf(file))) variables.set(name, value);
  return variables;
}

/** In the order of glob(3): sorted, directory by directory. */
function expand(path: string): string[] {
  if (!hasGlob(path)) return [path];
  return path
    .split("/")
    .slice(1)
    .reduce<string[]>((found, component) => found.flatMap((directory) => below(directory, component)), [""])
    .map((file) => file || "/");
}

function below(directory: string, component: string): string[] {
  if (!hasGlob(component)) return [`${directory}/${component}`];
  const fits = compileGlob(component);
  if (fits === undefined) return [];
  const names = namesIn(directory || "/").filter(
    (name) => fits(name) && (component.startsWith(".") || !name.startsWith(".")),
  );
  return names.toSorted().map((name) => join(directory || "/", name));
}

function hasGlob(path: string): boolean {
  return /[*?[]/.test(path);
}

function textOf(file: string): string {
  try {
    // Only regular files: reading a FIFO would wait for its writer.
    return statSync(file).isFile() ? readFileSync(file, "utf8") : "";
  } catch {
    return "";
  }
}
