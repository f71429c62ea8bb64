/** Gives src/services the real system: it runs programs, finds our files and looks up accounts. */
import { execFile } from "node:child_process";
import { realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { checkProgram } from "../../kernel/bpf/attachment.ts";
import { detachUnit } from "../../services/bpf-units.ts";
import { type Identity, Launcher, type RunAs } from "../../services/launcher.ts";
import { type RunCommand, Systemctl } from "../../services/systemd/systemctl.ts";

/** Runs without translations, because we read the messages of programs. */
export const run: RunCommand = (command, args) =>
  execute(command, args, { env: { ...process.env, LC_ALL: "C" } });

const runAs: RunAs = (command, args, { environment, identity }) =>
  execute(command, args, { env: { ...environment, LC_ALL: "C" }, cwd: "/", ...identity });

export function openSystemctl(user: boolean): Systemctl {
  return new Systemctl({ user, run });
}

/** The path of this script. */
function scriptPath(): string {
  return realpathSync(process.argv[1] ?? "");
}

/** If the launcher started us, it told where it is. Otherwise it is beside this script. */
export function openLauncher(): Launcher {
  const { MPTCPIZE_LAUNCHER = join(dirname(scriptPath()), "mptcpize") } = process.env;
  return new Launcher(MPTCPIZE_LAUNCHER, runAs);
}

export const bpf = {
  /** The command that a unit runs when it starts. */
  attachCommand: [process.execPath, scriptPath(), "attach"],
  check: checkProgram,
  forget: detachUnit,
};

/**
 * The account that a service runs as; undefined if it is the account of this process. An account that does not exist
 * yet (DynamicUser=) counts as nobody.
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

/** Resolves with any exit code; rejects if the command cannot be started, or was killed. Uses no shell. */
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

/** Bytes. systemctl shows a SystemCallFilter= with hundreds of names on one line. */
const largestOutput = 16 * 1024 * 1024;
