import { readdirSync } from "node:fs";
import { dirname, extname, join, resolve } from "node:path";
import type { PluginSource } from "../../path-managers/runtime/plugin-sources.ts";
import { type Access, isOpenToOthers, refusedTo } from "./file-access.ts";
import type { Settings } from "./options.ts";
import { runningDaemon } from "./running.ts";

export interface ReadableResult {
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Whether mptcpd can read the files of a configuration, which whoever checks it may read as root. While mptcpd runs, its
 * user is asked for; otherwise nobody knows who that will be (DynamicUser=), and the permissions of others are looked at.
 */
export async function checkReadable(
  settings: Settings,
  configFile: string | undefined,
  sources: readonly PluginSource[],
): Promise<ReadableResult> {
  const wanted = accesses(configFile, sources);
  const daemon = runningDaemon(settings);
  if (daemon === undefined) {
    const warnings = wanted.filter((access) => !isOpenToOthers(access)).map(closed);
    return { errors: [], warnings };
  }
  const { pid, uid } = daemon;
  const refused = await refusedTo(daemon, wanted);
  const errors = refused.map(
    ({ path, how }) =>
      `${path}: the running mptcpd (pid ${pid}, user ${uid}) cannot ${how} it; look at the permissions of the file ` +
      "and its directories, and at the sandbox of the unit",
  );
  return { errors, warnings: [] };
}

function closed({ path, how }: Access): string {
  return (
    `${path}: others cannot ${how} it, and the user of mptcp.service is one of them, ` +
    "unless a drop-in gives it a group (SupplementaryGroups=)"
  );
}

/** Of a plugin directory all modules: one may import another. */
function accesses(configFile: string | undefined, sources: readonly PluginSource[]): Access[] {
  const files = sources.flatMap((source) => (source.kind === "file" ? source.path : []));
  const modules = [...new Set(files.map(dirname))].flatMap(modulesIn);
  const programs = sources.flatMap((source) => (source.kind === "exec" ? source.command[0] : []));
  const readable = new Set([
    ...(configFile === undefined ? [] : [resolve(configFile)]),
    ...files,
    ...modules,
  ]);
  return [
    ...Array.from(readable, (path): Access => ({ path, how: "read" })),
    ...programs.map((path): Access => ({ path, how: "execute" })),
  ];
}

const moduleExtensions = [".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".json", ".node"];

function modulesIn(directory: string): string[] {
  const names = readdirSync(directory, { recursive: true, encoding: "utf8" });
  return names
    .filter((name) => moduleExtensions.includes(extname(name)) && !name.startsWith("."))
    .map((name) => join(directory, name));
}
