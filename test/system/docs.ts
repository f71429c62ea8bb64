/** Runs what a page of docs/ shows, in a booted system. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { type Page, type Section, type Step, stepsOf } from "../lab/document.ts";
import type { Shown } from "../lab/shown.ts";
import type { SystemdLab } from "../lab/systemd.ts";

/** What is done in place of a command, by its text; gives what stands for its output. */
export type Instead = Readonly<Record<string, () => Promise<string>>>;

/**
 * Writes the files of a section ("```ini /etc/mptcpd/mptcpd.conf") and runs its commands, in their order. Each has to
 * write what is shown; one that fails has to show what it says then. One that goes on in the background (" &") writes
 * nothing. A command that only looks is run again until it shows what the page does, up to the usual deadline.
 */
export async function follow(
  lab: SystemdLab,
  page: Page,
  section: Section,
  shown: Shown,
  instead: Instead = {},
): Promise<void> {
  for (const block of section.blocks) {
    if (block.file !== "") write(lab, block.file, `${block.text}\n`);
    if (block.language !== "console") continue;
    for (const step of stepsOf(block)) await perform(lab, page, step, shown, instead);
  }
}

async function perform(lab: SystemdLab, page: Page, step: Step, shown: Shown, instead: Instead) {
  const command = shown.command(step.command);
  let written = "";
  const attempt = async () => {
    const { code, output } = await outcomeOf(lab, command, instead[step.command]);
    written = output;
    const isExpected = step.shown.some((line) => line !== "…");
    assert.ok(code === 0 || isExpected, `${command} failed with ${code}: ${output}`);
    return shown.matches(step.shown, output);
  };
  const ok = onlyLooks(command) ? await waitFor(command, attempt).catch(() => false) : await attempt();
  const where = `${page.name}:${step.line}: ${command}`;
  if (!ok) assert.fail(`${where}\n-- is shown with\n${step.shown.join("\n")}\n-- and wrote\n${written}`);
}

async function outcomeOf(lab: SystemdLab, command: string, instead: (() => Promise<string>) | undefined) {
  if (instead) return { code: 0, output: await instead() };
  const inBackground = command.endsWith(" &");
  const line = inBackground ? `${command.slice(0, -2)} >/dev/null 2>&1 &` : `{ ${command}\n} 2>&1`;
  const { code, stdout, stderr } = await lab.outcome("bash", "-c", line);
  return { code, output: stdout + stderr };
}

const looking = [
  ...[
    "ip mptcp endpoint$",
    "ip mptcp limits",
    "ss ",
    "nstat ",
    "journalctl ",
    "systemctl is-active ",
    "cat ",
  ],
  ...["(ip netns exec \\S+ )?mptcpctl (-\\S+ )*(endpoint$|explain|connections|limits$)", "mptcpize status"],
];

function onlyLooks(command: string): boolean {
  return new RegExp(`^(${looking.join("|")})`).test(command);
}

function write(lab: SystemdLab, path: string, text: string): void {
  mkdirSync(dirname(lab.path(path)), { recursive: true });
  writeFileSync(lab.path(path), text);
}
