import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { systemClock } from "../../base/clock.ts";
import { codeOf, messageOf } from "../../base/errors.ts";
import { currentNamespace, namespaceFile } from "../../control/endpoints/namespace.ts";
import { runtimeDirectoryOf } from "./arguments.ts";
import { StartError } from "./exit.ts";
import type { Settings } from "./options.ts";
import { decodeVerdict, openSocketPath, RELOAD_REQUEST, type Verdict } from "./reload-socket.ts";

/** Milliseconds for a reload. Less than systemd waits by default (TimeoutStartSec=): our message comes first. */
const RELOAD_DEADLINE = 80_000;
/** Milliseconds in which an mptcpd without a socket makes one after SIGHUP. */
const SOCKET_DEADLINE = 5000;
const RETRY = 50;
/** Characters. */
const LONGEST_ANSWER = 1024 * 1024;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Makes the running mptcpd of this network namespace reload its configuration, and waits for the verdict
 * (reload-socket.ts). An mptcpd without a socket gets SIGHUP, if systemd gives its pid (MAINPID), and then makes one.
 *
 * @throws StartError if there is no verdict
 */
export async function askToReload(
  settings: Settings,
  environment: Environment = process.env,
): Promise<Verdict> {
  const namespace = currentNamespace();
  const path = namespaceFile(runtimeDirectoryOf(settings, namespace, environment), namespace, "reload");
  const socket = await reach(path, mainPid(environment));
  const answer = await ask(socket);
  if (answer === undefined) {
    const seconds = RELOAD_DEADLINE / 1000;
    throw new StartError(
      `mptcpd has not reloaded in ${seconds} s: look at \`systemctl status\` and at its log`,
    );
  }
  const verdict = decodeVerdict(answer);
  if (verdict === undefined)
    throw new StartError("mptcpd ended before it had reloaded the configuration: look at its log");
  return verdict;
}

function mainPid({ MAINPID: pid = "" }: Environment): number | undefined {
  return /^[1-9]\d*$/.test(pid) ? Number(pid) : undefined;
}

async function reach(path: string, pid: number | undefined): Promise<Socket> {
  const first = await tryToReach(path);
  if (!("problem" in first)) return first;
  if (pid === undefined) throw new StartError(`${first.problem}: is mptcpd running?`);
  signal(pid);
  const end = systemClock.now() + SOCKET_DEADLINE;
  for (;;) {
    await delay(RETRY);
    const attempt = await tryToReach(path);
    if (!("problem" in attempt)) return attempt;
    if (systemClock.now() < end) continue;
    throw new StartError(
      `sent SIGHUP to mptcpd (pid ${pid}), but cannot ask it for the outcome (${attempt.problem}): ` +
        "look at its log",
    );
  }
}

function signal(pid: number): void {
  try {
    process.kill(pid, "SIGHUP");
  } catch (error) {
    throw new StartError(`cannot tell mptcpd (pid ${pid}) to reload: ${messageOf(error)}`);
  }
}

/** Throws StartError for a problem that a signal cannot solve. */
async function tryToReach(path: string): Promise<Socket | { readonly problem: string }> {
  try {
    return await connected(path);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT") return { problem: `there is no ${path}` };
    if (code === "ECONNREFUSED") return { problem: `nobody listens at ${path}` };
    const hint = code === "EACCES" ? ": run this as root" : "";
    throw new StartError(`cannot ask mptcpd to reload: ${messageOf(error)}${hint}`);
  }
}

async function connected(file: string): Promise<Socket> {
  const path = openSocketPath(file);
  try {
    const socket = connect(path.name);
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve).once("error", reject);
    });
    socket.removeAllListeners("error");
    return socket;
  } finally {
    path.close();
  }
}

/** The answer, or the part of it that came before the other end closed; undefined: no answer came in time. */
function ask(socket: Socket): Promise<string | undefined> {
  return new Promise((resolve) => {
    let answer = "";
    const timer = setTimeout(() => {
      resolve(undefined);
      socket.destroy();
    }, RELOAD_DEADLINE);
    // Every error closes the socket.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(answer);
    });
    socket.setEncoding("utf8").on("data", (text: string) => {
      answer += text;
      if (answer.length > LONGEST_ANSWER) socket.destroy();
    });
    socket.write(RELOAD_REQUEST);
  });
}
