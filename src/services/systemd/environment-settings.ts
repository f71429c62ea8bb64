/** Environment= and EnvironmentFile= of systemd.exec(5): config_parse_environ() in src/core/load-fragment.c. */
import type { Assignment } from "./unit-syntax.ts";
import { validWords } from "./words.ts";

/** What Environment= sets, by name; values have their specifiers as they are written. */
export function environmentAssignments(assignments: readonly Assignment[]): Map<string, string> {
  const environment = new Map<string, string>();
  for (const { section, key, value } of assignments) {
    if (section !== "Service" || key !== "Environment") continue;
    if (value === "") environment.clear();
    // Behind an error systemd reads no further; what stands before it counts.
    for (const { text } of validWords(value)) {
      const [, name, content] = /^([A-Za-z_]\w*)=(.*)$/s.exec(text) ?? [];
      if (name !== undefined && content !== undefined) environment.set(name, content);
    }
  }
  return environment;
}

export type EnvironmentFile = { readonly path: string; readonly optional: boolean };

/**
 * The files of EnvironmentFile=, in the order in which they are read; paths have their specifiers as written. systemd
 * ignores those that are not absolute.
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
