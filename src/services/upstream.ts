/**
 * What the C mptcpize leaves in a unit file that it "enabled": one line, put after [Service] or in place of the first
 * Environment= (mptcpd, src/mptcpize.c). Other Environment= lines it deleted; those are lost. `--repair` takes the line
 * out.
 */
import { readFileSync } from "node:fs";
import { messageOf } from "../base/errors.ts";
import { writeFileAtomically } from "../base/files.ts";
import { Refusal } from "./refusal.ts";
import type { RunCommand, Systemctl } from "./systemd/systemctl.ts";
import type { Assignment } from "./systemd/unit-syntax.ts";
import type { Unit } from "./unit.ts";

/** The file without those lines; undefined if it has none. */
export function withoutUpstreamLines(text: string): string | undefined {
  const lines = text.split("\n");
  const kept = lines.filter((line) => !upstreamLine.test(line));
  return kept.length === lines.length ? undefined : kept.join("\n");
}

/** It writes into the unit file itself, the fragment. */
export function isUpstreamSetting({ file, section, key, value }: Assignment, fragment: string): boolean {
  return file === fragment && section === "Service" && upstreamLine.test(`${key}=${value}`);
}

const upstreamLine = /^Environment=LD_PRELOAD=\S*\/libmptcpwrap\.so[\d.]*$/;

/** The removal of lines as a unified diff. `after` has nothing that `before` has not. */
export function removalDiff(path: string, before: string, after: string): string {
  const old = splitLines(before);
  const kept = splitLines(after);
  const removed: number[] = [];
  for (const [index, line] of old.entries())
    if (kept[index - removed.length] !== line || removed.includes(index)) removed.push(index);
  const hunks = groups(removed).map((group) => hunk(old, group, removed));
  return [`--- ${path}`, `+++ ${path}`, ...hunks.flat(), ""].join("\n");
}

const contextLines = 3;

/** Removals so near to each other that they share a hunk. */
function groups(removed: readonly number[]): number[][] {
  const found: number[][] = [];
  for (const index of removed) {
    const last = found.at(-1);
    const previous = last?.at(-1);
    if (last !== undefined && previous !== undefined && index - previous <= 2 * contextLines + 1)
      last.push(index);
    else found.push([index]);
  }
  return found;
}

function hunk(old: readonly string[], group: readonly number[], removed: readonly number[]): string[] {
  const first = Math.max(0, (group[0] ?? 0) - contextLines);
  const end = Math.min(old.length, (group.at(-1) ?? 0) + contextLines + 1);
  const before = removed.filter((index) => index < first).length;
  const length = end - first;
  const head = `@@ -${first + 1},${length} +${first + 1 - before},${length - group.length} @@`;
  const lines = old
    .slice(first, end)
    .map((line, index) => (group.includes(first + index) ? "-" : " ") + line);
  return [head, ...lines];
}

function splitLines(text: string): string[] {
  return text.replace(/\n$/, "").split("\n");
}

/** What `--repair` does to a unit file. */
export type Repair = {
  readonly path: string;
  readonly content: Uint8Array;
  /** What changes, as a unified diff. */
  readonly diff: string;
  /** Whose file it is, by the package manager; undefined if nobody's. */
  readonly package: string | undefined;
};

/** Undefined if the unit file has nothing of the C mptcpize's. */
export async function planRepair({ fragment }: Unit, run: RunCommand): Promise<Repair | undefined> {
  if (fragment === undefined) return undefined;
  // A character for each byte: what else is in the file, such as a comment in another encoding, stays as it is.
  const before = readFileSync(fragment, "latin1");
  const after = withoutUpstreamLines(before);
  if (after === undefined) return undefined;
  const content = Buffer.from(after, "latin1");
  return {
    path: fragment,
    content,
    diff: removalDiff(fragment, Buffer.from(before, "latin1").toString(), content.toString()),
    package: await packageOf(fragment, run),
  };
}

export async function repair({ path, content }: Repair, systemctl: Systemctl): Promise<void> {
  try {
    writeFileAtomically(path, content);
  } catch (error) {
    throw new Refusal(`${path} cannot be written (${messageOf(error)})`, { cause: error });
  }
  await systemctl.daemonReload();
}

/** dpkg -S: "nginx-common: /lib/systemd/system/nginx.service"; rpm -qf: "nginx-1.22-1.x86_64". */
async function packageOf(path: string, run: RunCommand): Promise<string | undefined> {
  for (const [command, option] of [
    ["dpkg", "-S"],
    ["rpm", "-qf"],
  ] as const) {
    const { stdout, code } = await run(command, [option, path]).catch(() => ({ stdout: "", code: 1 }));
    if (code === 0) return stdout.split("\n")[0]?.split(": ")[0];
  }
  return undefined;
}
