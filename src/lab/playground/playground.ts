import { spawn } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { writeError } from "../../base/command-line/terminal.ts";
import { checkout } from "../kit/checkout.ts";
import type { Host } from "../kit/host.ts";
import { Lab } from "../kit/lab.ts";
import { twoPaths } from "../kit/two-paths.ts";
import { echoPort } from "./echo.ts";

/** The command line of this program. */
export type Program = readonly [string, ...string[]];

/**
 * A client with two uplinks and a server, and a command, or else the user's shell, in the client; gives its exit status,
 * 128 + N for signal N.
 */
export async function play(program: Program, command: readonly string[]): Promise<number> {
  const lab = await Lab.create();
  // The terminal sends ^C to the command, too, and that decides.
  process.on("SIGINT", () => undefined);
  try {
    const { client, server } = await twoPaths(lab);
    await server.ip("mptcp limits set subflows 8 add_addr_accepted 8");
    const [node, ...args] = program;
    await server.spawn(node, [...args, "echo"]).waitForLine(/^listening$/);
    const { PATH = "", SHELL = "/bin/sh" } = process.env;
    const path = `${commands(lab, server, program)}:${PATH}`;
    if (command.length === 0) writeError(`${introduction}\n`);
    return await runIn(client, command.length === 0 ? [SHELL] : command, path);
  } finally {
    await lab.close();
  }
}

const introduction = `You are on a client with two uplinks, eth1 (10.0.1.2, fd00:1::2) and eth2 (10.0.2.2, fd00:2::2).
A server at 10.0.1.1, 10.0.2.1, fd00:1::1 and fd00:2::1 echoes on MPTCP port ${echoPort}: connect [ADDRESS]
server COMMAND... runs something on it. mptcpd, mptcpctl and mptcpize are here; exit leaves no trace.`;

/** A directory for the PATH: this checkout's programs, and commands of the lab. */
function commands(lab: Lab, server: Host, program: Program): string {
  const directory = lab.freshPath("bin");
  mkdirSync(directory);
  for (const name of ["mptcpd", "mptcpctl", "mptcpize"])
    symlinkSync(join(checkout, "bin", name), join(directory, name));
  symlinkSync(process.execPath, join(directory, "node"));
  const script = (name: string, text: string): void =>
    writeFileSync(join(directory, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  script("server", `[ $# -gt 0 ] || set -- "\${SHELL:-sh}"\nexec nsenter --net=${server.path} -- "$@"`);
  script("connect", `exec ${program.map(quoted).join(" ")} connect "$@"`);
  return directory;
}

/** With this process' terminal, and where the user has called `npm run`. */
function runIn(host: Host, command: readonly string[], path: string): Promise<number> {
  const { INIT_CWD: cwd = process.cwd() } = process.env;
  return new Promise((resolve, reject) => {
    const child = spawn("nsenter", [`--net=${host.path}`, "--", ...command], {
      stdio: "inherit",
      cwd,
      // Debian's prompt shows it.
      env: { ...process.env, PATH: path, debian_chroot: "mptcp lab" },
    });
    child.on("error", reject);
    child.on("close", (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
