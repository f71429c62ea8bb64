/** What `npm run lab` opens: a shell on a client with two uplinks, and at its server an echo to connect to. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { Server, Socket } from "node:net";
import { constants } from "node:os";
import { join } from "node:path";
import { complain, writeError, writeOutput } from "../../base/command-line/terminal.ts";
import { messageOf } from "../../base/errors.ts";
import { tokenText } from "../../control/connections/connection.ts";
import { mptcpConnect, mptcpListen } from "../../kernel/native-sockets.ts";
import { Sockets } from "../../kernel/sockets.ts";
import { checkout } from "../kit/checkout.ts";
import type { Host } from "../kit/host.ts";
import { Lab, twoPaths } from "../kit/lab.ts";

/** The command line of this program. */
export type Program = readonly [string, ...string[]];

/**
 * A client with two uplinks and a server, and a command, or else the user's shell, in the client; gives its exit
 * status, 128 + N for signal N.
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

const echoPort = 8080;

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

/**
 * `connect [ADDRESS]`: an MPTCP connection to the echo server that stays open until a signal ends it. Says what it is
 * in one line, its token first, once something has gone both ways.
 */
export async function connect([address = "10.0.1.1", ...more]: readonly string[]): Promise<void> {
  if (more.length > 0 || address.startsWith("-")) return fail("usage: connect [ADDRESS]", 64);
  let socket: Socket;
  try {
    socket = new Socket({ fd: await mptcpConnect({ address, port: echoPort }) });
    socket.write("x");
    await once(socket, "data");
  } catch (error) {
    return fail(messageOf(error), 1);
  }
  const description = await describe(socket);
  let isTold = false;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => {
      isTold = true;
      socket.end();
    });
  // Whoever has read this may send a signal.
  writeOutput(`${description}\n`);
  let reason = "the server has closed the connection";
  socket.on("error", (error) => {
    reason = error.message;
  });
  socket.resume();
  await once(socket, "close");
  if (!isTold) fail(reason, 1);
}

/** "1a2b3c4d 10.0.1.2 port 40000 > 10.0.1.1 port 8080" */
async function describe({ localAddress, localPort, remoteAddress, remotePort }: Socket): Promise<string> {
  const sockets = Sockets.open();
  const found = (await sockets.dumpOutlines()).find(({ local }) => local.port === localPort);
  sockets.close();
  const ends = `${localAddress} port ${localPort} > ${remoteAddress} port ${remotePort}`;
  return found === undefined || found.fallback ? `plain TCP ${ends}` : `${tokenText(found.token)} ${ends}`;
}

function fail(message: string, status: number): void {
  complain("connect", message);
  process.exitCode = status;
}

/** Sends back whatever comes by MPTCP, or TCP, until it is killed. Writes a line when it listens. */
export async function echo(): Promise<void> {
  const { fd } = mptcpListen({ address: "::", port: echoPort, backlog: 1024 });
  const server = new Server((socket) => {
    socket.on("error", () => socket.destroy());
    socket.pipe(socket);
  });
  server.listen({ fd }, () => writeOutput("listening\n"));
}
