import { readdirSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { messageOf } from "../../base/errors.ts";
import type { PluginPlan } from "../../path-managers/runtime/plugin-sources.ts";

/**
 * What the code of plugins depends on, in a form that changes with it: programs and the scripts that they are given, and all
 * files of the plugin directory, as modules may import what lies there.
 */
export function filesOf({ sources }: PluginPlan, directory: string): string[] {
  const programs = sources.flatMap((source) => (source.kind === "exec" ? source.command : []));
  const modules = sources.some(({ kind }) => kind === "file")
    ? readdirSync(directory, { recursive: true, encoding: "utf8" }).sort()
    : [];
  const paths = [...programs.filter(isAbsolute), ...modules.map((name) => join(directory, name))];
  return paths.map((path) => `${path} ${versionOf(path)}`);
}

function versionOf(path: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(path);
    return `${ino} ${size} ${mtimeMs}`;
  } catch (error) {
    // Links may lead nowhere, and arguments need not be files.
    return messageOf(error);
  }
}
