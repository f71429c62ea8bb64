/** What another user may do with files. */
import { execFile } from "node:child_process";
import { realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { Credentials } from "./running.ts";

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
 * Which of these a running process is refused, in the mount namespace that it has. Root finds out by becoming its user;
 * others by the modes of files and directories.
 */
export async function refusedTo(process: Credentials, wanted: readonly Access[]): Promise<readonly Access[]> {
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
