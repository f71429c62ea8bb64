/** What the system tests do with units and see of them. */
import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { BootedSystem, Outcome } from "../lab/booted-system.ts";
import type { SystemdLab } from "../lab/systemd.ts";

/** Writes files of the booted system, and lets systemd read its units again. */
export async function write(lab: BootedSystem, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(lab.path(path)), { recursive: true });
    writeFileSync(lab.path(path), text);
  }
  await lab.run("systemctl", "daemon-reload");
}

export function text(lab: BootedSystem, path: string): string {
  return readFileSync(lab.path(path), "utf8");
}

/** Puts a program of this machine into the booted system's PATH; gives its path there. */
export function install(lab: SystemdLab, program: string, name: string): string {
  const path = `/usr/local/bin/${name}`;
  copyFileSync(program, lab.path(path));
  chmodSync(lab.path(path), 0o755);
  return path;
}

/** Runs a command of mptcpize that must succeed; gives what it said. */
export async function mptcpize(lab: SystemdLab, ...args: readonly string[]): Promise<Outcome> {
  const outcome = await lab.outcome(lab.mptcpize, ...args);
  assert.equal(outcome.code, 0, `mptcpize ${args.join(" ")}: ${outcome.stderr}`);
  return outcome;
}

/** A command of mptcpize ends with 1 and one line. */
export async function refuses(
  lab: SystemdLab,
  args: readonly string[],
  message: RegExp | string,
): Promise<void> {
  const { code, stdout, stderr } = await lab.outcome(lab.mptcpize, ...args);
  assert.deepEqual({ code, stdout }, { code: 1, stdout: "" }, stderr);
  if (typeof message === "string") assert.equal(stderr, `mptcpize: ${message}\n`);
  else assert.match(stderr, message);
  assert.match(stderr, /^mptcpize: .+\n$/, "one line");
}

/** What listens on a TCP port, as the kernel says; undefined if nothing does. */
export async function protocolAt(lab: SystemdLab, port: number): Promise<"MPTCP" | "TCP" | undefined> {
  // The listening subflow of an MPTCP socket is one of TCP.
  if (await isListed(lab, "--mptcp", port)) return "MPTCP";
  return (await isListed(lab, "--tcp", port)) ? "TCP" : undefined;
}

async function isListed(lab: SystemdLab, protocol: string, port: number): Promise<boolean> {
  const rows = await lab.run("ss", "--no-header", "--listening", "--numeric", protocol, `sport = :${port}`);
  return rows.trim() !== "";
}

/** Every file of the directories where units live: type, mode, owner, link or digest. */
export function unitTrees(lab: SystemdLab): Promise<string> {
  const directories = ["/etc/systemd", "/run/systemd/system", "/lib/systemd"];
  const script = [
    'find "$@" -printf "%p %y %#m %u:%g %l\\n" | sort',
    'find "$@" -type f -print0 | sort --zero-terminated | xargs --null sha256sum',
  ];
  return lab.run("sh", "-c", script.join("\n"), "trees", ...directories);
}

/** The environment of a service's main process, without what systemd gives to every single start. */
export async function environmentOf(lab: SystemdLab, unit: string): Promise<Map<string, string>> {
  const pid = (await lab.run("systemctl", "show", "--property=MainPID", "--value", unit)).trim();
  const entries = (await lab.run("cat", `/proc/${pid}/environ`)).split("\0").filter((entry) => entry !== "");
  const ofTheStart = ["INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID"];
  return new Map(
    entries
      .map((entry): [string, string] => {
        const end = entry.indexOf("=");
        return [entry.slice(0, end), entry.slice(end + 1)];
      })
      .filter(([name]) => !ofTheStart.includes(name)),
  );
}

/** The file by which a unit is enabled for good. */
export function dropIn(unit: string): string {
  return `/etc/systemd/system/${unit}.d/50-mptcpize.conf`;
}
