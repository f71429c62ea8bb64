/** The real world, as services/ and systemd/ want it. */
import { execFile } from "node:child_process";
import { realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { checkProgram } from "../../kernel/bpf/attachment.ts";
import { detachUnit } from "../../services/bpf-units.ts";
import { type Identity, Launcher, type RunAs } from "../../services/launcher.ts";
import { type RunCommand, Systemctl } from "../../services/systemd/systemctl.ts";

/** The messages of programs are read, so they come untranslated. */
export const run: RunCommand = (command, args) =>
  execute(command, args, { env: { ...process.env, LC_ALL: "C" } });

const runAs: RunAs = (command, args, { environment, identity }) =>
  execute(command, args, { env: { ...environment, LC_ALL: "C" }, cwd: "/", ...identity });

export function openSystemctl(user: boolean): Systemctl {
  return new Systemctl({ user, run });
}

/** The script that runs. */
function scriptPath(): string {
  return realpathSync(process.argv[1] ?? "");
}

/** The launcher has told where it is, if it started us; it is beside this script in any case. */
export function openLauncher(): Launcher {
  const { MPTCPIZE_LAUNCHER = join(dirname(scriptPath()), "mptcpize") } = process.env;
  return new Launcher(MPTCPIZE_LAUNCHER, runAs);
}

export const bpf = {
  /** What a unit has to run at its start. */
  attachCommand: [process.execPath, scriptPath(), "attach"],
  check: checkProgram,
  forget: detachUnit,
};

/**
 * As whom a service runs; undefined for root, or who else asks. An account that is yet to be (DynamicUser=) counts as
 * nobody.
 */
export async function identityOf(user: string, group: string): Promise<Identity | undefined> {
  if (user === "" && group === "") return undefined;
  const uid = user === "" ? 0 : await idOf("-u", user);
  const gid = group === "" ? await idOf("-g", user) : await groupId(group);
  return { uid, gid };
}

const nobody = 65534;

async function idOf(option: "-u" | "-g", user: string): Promise<number> {
  if (option === "-u" && isNumber(user)) return Number(user);
  const { stdout, code } = await run("id", [option, "--", user]);
  return code === 0 ? Number(stdout) : nobody;
}

async function groupId(group: string): Promise<number> {
  if (isNumber(group)) return Number(group);
  const { stdout, code } = await run("getent", ["group", "--", group]);
  return code === 0 ? Number(stdout.split(":")[2]) : nobody;
}

function isNumber(text: string): boolean {
  return /^\d+$/.test(text);
}

type Result = { readonly stdout: string; readonly stderr: string; readonly code: number };

/** Resolves whatever the command's exit code; rejects if it cannot be started, or was killed. No shell is involved. */
function execute(
  command: string,
  args: readonly string[],
  options: { env: NodeJS.ProcessEnv; cwd?: string; uid?: number; gid?: number },
): Promise<Result> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { ...options, maxBuffer: largestOutput }, (error, stdout, stderr) => {
      if (error === null) resolve({ stdout, stderr, code: 0 });
      else if (typeof error.code === "number") resolve({ stdout, stderr, code: error.code });
      else reject(error);
    });
  });
}

/** systemctl shows a SystemCallFilter= of some hundred names on one line. */
const largestOutput = 16 * 1024 * 1024;
