import { execFile } from "node:child_process";
import { readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, extname, join, resolve } from "node:path";
import { currentNamespace, namespaceFile } from "../../control/endpoints/namespace.ts";
import { lockHolder } from "../../kernel/file-lock.ts";
import type { PluginSource } from "../../path-managers/runtime/plugin-config.ts";
import { runtimeDirectoryOf } from "./arguments.ts";
import type { Settings } from "./options.ts";

export interface ReadableResult {
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Whether mptcpd can read the files of a configuration; the person who checks it may be root, and can read them anyway.
 * If mptcpd runs, this checks with its user. If not, its future user is unknown (DynamicUser=), and this checks the
 * permissions of others.
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
      `${path}: the running mptcpd (pid ${pid}, user ${uid}) cannot ${how} it; check the permissions of the file ` +
      "and its directories, and the sandbox of the unit",
  );
  return { errors, warnings: [] };
}

function closed({ path, how }: Access): string {
  return (
    `${path}: others cannot ${how} it, so the user of mptcp.service cannot either, ` +
    "unless a drop-in gives it a group (SupplementaryGroups=)"
  );
}

/** All modules of a plugin directory, because one module may import another. */
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

export interface Access {
  /** Absolute. */
  readonly path: string;
  readonly how: "read" | "execute";
}

/** Whether the file's own mode lets everybody do it. A file that is gone is not looked at. */
export function isOpenToOthers({ path, how }: Access): boolean {
  const status = statSync(path, { throwIfNoEntry: false });
  return status === undefined || (status.mode & BITS[how]) !== 0;
}

/**
 * The files that a running process cannot open, in its own mount namespace. Root finds out by becoming its user; other
 * users by the modes of files and directories.
 */
async function refusedTo(process: Credentials, wanted: readonly Access[]): Promise<readonly Access[]> {
  return (await refusedByTrying(process, wanted)) ?? wanted.filter((access) => !isPermitted(process, access));
}

/** Those of others in a mode (inode(7)); the owner's are six bits up, the group's three. */
const BITS = { read: 0o4, execute: 0o1 } as const;
/** S_IXOTH: in a directory, to come by. */
const PASS = 0o1;

/** By the modes: access control lists are not looked at. */
export function isPermitted(who: Omit<Credentials, "pid">, { path, how }: Access): boolean {
  const file = realpathSync(path);
  for (let directory = dirname(file); ; directory = dirname(directory)) {
    if (!mayWith(who, directory, PASS)) return false;
    if (directory === "/") break;
  }
  return mayWith(who, file, BITS[how]);
}

function mayWith({ uid, gid, groups }: Omit<Credentials, "pid">, path: string, bits: number): boolean {
  const status = statSync(path);
  if (uid === 0) return status.isDirectory() || bits !== BITS.execute || (status.mode & 0o111) !== 0;
  const isOfGroup = status.gid === gid || groups.includes(status.gid);
  const shift = status.uid === uid ? 6 : isOfGroup ? 3 : 0;
  return (status.mode & (bits << shift)) !== 0;
}

/** Prints the places, from 0, of those that are refused; arguments: "-r FILE" or "-x FILE" each. */
const script = `n=0; while [ $# -gt 0 ]; do test "$1" "$2" || echo $n; n=$((n + 1)); shift 2; done; echo end`;

/** Undefined: we may not become that user. */
async function refusedByTrying(
  { pid, uid, gid, groups }: Credentials,
  wanted: readonly Access[],
): Promise<readonly Access[] | undefined> {
  const tests = wanted.flatMap(({ path, how }) => [how === "read" ? "-r" : "-x", path]);
  const asUser =
    uid === 0
      ? []
      : ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, ...groupOptions(groups), "--inh-caps=-all", "--"];
  const words = ["--target", `${pid}`, "--mount", "--", ...asUser, "/bin/sh", "-c", script, "sh", ...tests];
  const output = await new Promise<string>((resolve) => {
    execFile("nsenter", words, { env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" } }, (_, stdout) =>
      resolve(stdout),
    );
  });
  const lines = output.trim().split("\n");
  if (lines.pop() !== "end") return undefined;
  const places = lines.map(Number);
  return wanted.filter((_, place) => places.includes(place));
}

function groupOptions(groups: readonly number[]): string[] {
  return [groups.length === 0 ? "--clear-groups" : `--groups=${groups.join(",")}`];
}

/** The user and groups of a process when it opens files. */
export interface Credentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/** The mptcpd that holds the lock of this network namespace; undefined: none does, or that cannot be seen. */
function runningDaemon(settings: Pick<Settings, "runtimeDir">): Credentials | undefined {
  try {
    const namespace = currentNamespace();
    const file = namespaceFile(runtimeDirectoryOf(settings, namespace), namespace, "lock");
    const pid = lockHolder(file);
    return pid === undefined ? undefined : credentialsOf(pid);
  } catch {
    return undefined;
  }
}

/** Those for the file system (proc_pid_status(5)). Throws where they cannot be read. */
function credentialsOf(pid: number): Credentials {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const numbers = (name: string): number[] => {
    const [, row = ""] = new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status) ?? [];
    return row.split(/\s+/).filter(Boolean).map(Number);
  };
  const [uid, gid] = [numbers("Uid").at(FILE_SYSTEM), numbers("Gid").at(FILE_SYSTEM)];
  if (uid === undefined || gid === undefined) throw new Error(`/proc/${pid}/status has no Uid or Gid`);
  return { pid, uid, gid, groups: numbers("Groups") };
}

/** Of real, effective, saved, and that for the file system. */
const FILE_SYSTEM = 3;
