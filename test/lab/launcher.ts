import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { checkout } from "../../src/lab/kit/checkout.ts";
import { labDirectory } from "../../src/lab/kit/requires.ts";

const built = { launcher: join(checkout, "dist/mptcpize"), library: join(checkout, "dist/libmptcpwrap.so") };
const { MPTCPIZE: underSanitizer } = process.env;

/**
 * The launcher of this checkout. If the sanitizer's tests name theirs, a copy of that beside the plain library: the
 * sanitizer's own only loads into programs that have the sanitizer loaded already.
 */
export const launcher =
  underSanitizer === undefined ? built.launcher : install(mkdtempSync(join(labDirectory, "sanitized-")));

/** What it loads into programs. */
export const library = join(dirname(launcher), "libmptcpwrap.so");

export type Environment = Readonly<Record<string, string>>;

/**
 * What a command sees if nobody set anything: no variable that mptcpize reads or sets, and not the sanitizer's library,
 * which its tests preload into this process.
 */
export const cleanEnvironment: Environment = Object.fromEntries(
  ["PATH", "HOME", "USER", "LANG", "TMPDIR", "ASAN_OPTIONS"].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value]];
  }),
);

/** Redirections of a shell that close some or all of them. */
export const closedStandardFiles = [
  "<&-",
  ">&-",
  "2>&-",
  "<&- >&-",
  "<&- 2>&-",
  ">&- 2>&-",
  "<&- >&- 2>&-",
] as const;

export type Ending = { code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string };

export type Surroundings = { env?: Environment; cwd?: string };

/** Runs a command to its end in a clean environment, with these variables on top. */
export function ending(command: string, args: readonly string[], surroundings: Surroundings = {}): Ending {
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, {
    ...surroundings,
    encoding: "utf8",
    timeout: 60_000,
    // Node would make it a socket, from which bash concludes that it is to read the user's .bashrc.
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...cleanEnvironment, ...surroundings.env },
  });
  if (error) throw error;
  return { code: status, signal, stdout, stderr };
}

/** A directory that every user may look into; it goes with the test. */
export function openDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(labDirectory, "launcher-"));
  chmodSync(directory, 0o755);
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export type Installation = {
  readonly directory: string;
  readonly launcher: string;
  readonly library: string;
  /** In place of Node: writes its arguments, a line for each, then what MPTCPIZE_LAUNCHER says. */
  readonly node: string;
  readonly script: string;
};

/** A launcher with its parts beside it, in a directory of its own, so that they can be missing or others. */
export function installation(t: TestContext, directory = openDirectory(t)): Installation {
  const parts = {
    directory,
    launcher: install(directory),
    library: join(directory, "libmptcpwrap.so"),
    node: join(directory, "node"),
    script: join(directory, "mptcpize.js"),
  };
  writeProgram(parts.node, '#!/bin/sh\nprintf "%s\\n" "$@" "launcher: $MPTCPIZE_LAUNCHER"\nexit 5\n');
  writeFileSync(parts.script, "");
  return parts;
}

/** Puts launcher and library into a directory; gives the launcher's path there. */
function install(directory: string): string {
  chmodSync(directory, 0o755);
  const path = join(directory, "mptcpize");
  copyFileSync(underSanitizer ?? built.launcher, path);
  copyFileSync(built.library, join(directory, "libmptcpwrap.so"));
  return path;
}

/** Writes a file that everybody may execute. */
export function writeProgram(path: string, content: string | Uint8Array, mode = 0o755): string {
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

/** What `run --dry-run` says: for each key its values, in order. */
export type DryRun = ReadonlyMap<string, readonly string[]>;

/** What `run` would do with a program; these options are between the two. */
export function dryRun(
  program: string,
  { options = [], ...surroundings }: Surroundings & { options?: readonly string[] } = {},
): DryRun {
  const { code, stdout, stderr } = ending(launcher, ["run", "--dry-run", ...options, program], surroundings);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  const values = new Map<string, string[]>();
  for (const line of stdout.trimEnd().split("\n")) {
    const [, key = "", value = ""] = /^(\w+): (.*)$/.exec(line) ?? [];
    assert.notEqual(key, "", `"${line}" is not "key: value"`);
    values.set(key, [...(values.get(key) ?? []), value]);
  }
  return values;
}
