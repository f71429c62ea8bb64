/**
 * What the C mptcpize leaves in a unit file that it "enabled": one line, put after [Service] or in place of the first
 * Environment= (mptcpd, src/mptcpize.c). Other Environment= lines it deleted; those are lost.
 */
import type { Assignment } from "./systemd/unit-file.ts";

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

const context = 3;

/** Removals so near to each other that they share a hunk. */
function groups(removed: readonly number[]): number[][] {
  const found: number[][] = [];
  for (const index of removed) {
    const last = found.at(-1);
    const previous = last?.at(-1);
    if (last !== undefined && previous !== undefined && index - previous <= 2 * context + 1) last.push(index);
    else found.push([index]);
  }
  return found;
}

function hunk(old: readonly string[], group: readonly number[], removed: readonly number[]): string[] {
  const first = Math.max(0, (group[0] ?? 0) - context);
  const end = Math.min(old.length, (group.at(-1) ?? 0) + context + 1);
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
