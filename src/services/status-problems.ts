/** Finds the problems that keep an enabled unit from using MPTCP, and what helps. Pure: uses only the given facts. */

import type { DropIn } from "./drop-in.ts";
import type { SocketStatus } from "./status-sockets.ts";
import { restartable, shellWord } from "./systemd/unit-name.ts";
import { versionWithSocketProtocol } from "./ways.ts";

export const problemCodes = [
  "no-unit",
  "needs-reload",
  "hidden",
  "edited",
  "exposed",
  "missing-file",
  "exec-start-changed",
  "overridden",
  "not-restarted",
  "not-reached",
  "passed-sockets",
] as const;
export type ProblemCode = (typeof problemCodes)[number];

/** The text is one line: the problem, its place, what helps. */
export type Problem = { readonly code: ProblemCode; readonly text: string };

export type EnabledFacts = {
  readonly unit: string;
  /** Whether the unit belongs to the user's own service manager. */
  readonly user: boolean;
  readonly path: string;
  readonly dropIn: DropIn;
  /** When the drop-in was written, in milliseconds since 1970. */
  readonly writtenAt: number;
  /** LoadState of systemd. */
  readonly loadState: string;
  readonly needsReload: boolean;
  /** The drop-ins that systemd has read. */
  readonly dropInsRead: readonly string[];
  /** The library or the launcher, if the file is missing. */
  readonly missing: string | undefined;
  /** ExecStart= of the unit without the drop-in. */
  readonly execStart: readonly string[];
  /** The setting of the drop-in that has no effect, and the place that decides instead. */
  readonly overridden: { readonly what: string; readonly where: string } | undefined;
  /** The sockets on which the unit listens now. */
  readonly listeners: readonly SocketStatus[];
  readonly processes: readonly ProcessFacts[];
  readonly passed: PassedSockets;
};

/** Sockets that systemd makes and passes to a service. */
export type PassedSockets = {
  /** With Accept=yes systemd keeps the listeners itself. */
  readonly listeners: readonly SocketStatus[];
  /** The socket units of the listeners. */
  readonly sockets: readonly string[];
  /** Accept=yes: each process gets one connection, and ends with it. */
  readonly accept: boolean;
  readonly systemdVersion: number;
};

export type ProcessFacts = {
  readonly pid: number;
  readonly name: string;
  readonly startedAt: number;
  /** Whether the process matters: it is the main process, or has TCP sockets. */
  readonly counts: boolean;
  /** Whether the way of the unit has reached the process; undefined if we cannot see that. */
  readonly reached: boolean | undefined;
};

export function problemsOf(facts: EnabledFacts): Problem[] {
  const { loadState, unit, user } = facts;
  if (loadState !== "loaded")
    return [
      problem(
        "no-unit",
        `systemd cannot load ${unit} (${loadState}): ${mptcpize("disable", user)} ${shellWord(unit)}`,
      ),
    ];
  return [...fileProblems(facts), ...listenerProblems(facts), ...processProblems(facts)];
}

/** Also for units that are not enabled: systemd may still use a drop-in of ours that is gone. */
export function reloadProblems({ needsReload, user }: Pick<EnabledFacts, "needsReload" | "user">): Problem[] {
  if (!needsReload) return [];
  const text = `files of the unit have changed since systemd read them: ${systemctl(user)} daemon-reload`;
  return [problem("needs-reload", text)];
}

/** Also for units that are not enabled. @param lines of `exposureOf` */
export function exposureProblems(lines: readonly string[]): Problem[] {
  return lines.map((line) => problem("exposed", line));
}

function fileProblems(facts: EnabledFacts): Problem[] {
  const { unit, user, path, dropIn, needsReload, dropInsRead, missing, execStart, overridden } = facts;
  const enable = mptcpize("enable", user);
  const isRead = dropInsRead.includes(path);
  const found = reloadProblems(facts);
  if (!isRead && !needsReload)
    found.push(problem("hidden", `systemd does not read ${path}: another directory has a file of that name`));
  if (dropIn.edited) found.push(problem("edited", `${path} has been edited since it was written`));
  if (missing !== undefined)
    found.push(
      problem("missing-file", `${missing} is missing: install it, or ${enable} ${shellWord(unit)} again`),
    );
  if (dropIn.way === "seccomp" && !isSame(dropIn.originalExecStart, execStart))
    found.push(
      problem(
        "exec-start-changed",
        `the unit's ExecStart= has changed since it was enabled: ${enable} ${shellWord(unit)} again`,
      ),
    );
  if (isRead && overridden !== undefined)
    found.push(problem("overridden", `${overridden.where} overrides ${overridden.what} of the drop-in`));
  return found;
}

export type LeftFacts = {
  readonly unit: string;
  readonly user: boolean;
  readonly processes: readonly Pick<ProcessFacts, "pid" | "name">[];
  /** Whether it is a socket unit that listens with MPTCP. */
  readonly listens: boolean;
};

/** For a unit that is not enabled: what still runs from the time when it was enabled. */
export function leftProblems({ unit, user, processes, listens }: LeftFacts): Problem[] {
  const help = restart(unit, user);
  return [
    ...(processes.length === 0
      ? []
      : [
          problem(
            "not-restarted",
            `not enabled, but ${named(processes)} with mptcpize until restarted: ${help}`,
          ),
        ]),
    ...(listens ? [problem("not-restarted", `not enabled, but it still listens with MPTCP: ${help}`)] : []),
  ];
}

function processProblems({ unit, user, dropIn, writtenAt, processes, passed }: EnabledFacts): Problem[] {
  const missed = processes.filter(({ counts, reached }) => counts && reached === false);
  const old = missed.filter(({ startedAt }) => startedAt < writtenAt && !passed.accept);
  const young = missed.filter(({ startedAt }) => startedAt >= writtenAt);
  return [
    ...(old.length === 0
      ? []
      : [
          problem(
            "not-restarted",
            `enabled, but not restarted since: ${named(old)} without mptcpize: ${restart(unit, user)}`,
          ),
        ]),
    ...(young.length === 0
      ? []
      : [problem("not-reached", `${named(young)} without mptcpize: ${reaching(unit, user, dropIn)}`)]),
  ];
}

/** The supervisor may reach programs that the library and the variable miss, such as a static one behind a shell. */
function reaching(unit: string, user: boolean, { way }: DropIn): string {
  const why = "`mptcpize run -d PROGRAM` tells why";
  if (way !== "preload" && way !== "go") return why;
  return `${why}; \`${mptcpize("enable", user)} --how=seccomp ${shellWord(unit)}\` reaches static programs, too`;
}

function listenerProblems({ unit, user, dropIn, listeners, passed }: EnabledFacts): Problem[] {
  const isTcp = ({ protocol }: SocketStatus) => protocol === "tcp";
  if (dropIn.way === "socket" && listeners.some(isTcp))
    return [problem("not-restarted", `it still listens with TCP: ${restart(unit, user)}`)];
  if (!passed.listeners.some(isTcp)) return [];
  const units = passed.sockets.map(shellWord).join(" ");
  return [problem("passed-sockets", `TCP listeners come from ${units}${withPassed(units, user, passed)}`)];
}

function withPassed(units: string, user: boolean, { accept, systemdVersion }: PassedSockets): string {
  if (systemdVersion >= versionWithSocketProtocol) return `: ${mptcpize("enable", user)} ${units}`;
  const why = `, and systemd ${systemdVersion} makes no MPTCP sockets`;
  if (accept) return `${why}: use a server that listens by itself`;
  return `${why}; if the service can listen by itself: ${systemctl(user)} disable --now ${units}`;
}

function restart(unit: string, user: boolean): string {
  return `${systemctl(user)} restart ${shellWord(restartable(unit))}`;
}

function systemctl(user: boolean): string {
  return user ? "systemctl --user" : "systemctl";
}

function mptcpize(command: "enable" | "disable", user: boolean): string {
  return `mptcpize ${command}${user ? " --user" : ""}`;
}

function named(processes: readonly Pick<ProcessFacts, "pid" | "name">[]): string {
  const list = processes.map(({ pid, name }) => `${pid} (${name})`).join(", ");
  return processes.length === 1 ? `process ${list} runs` : `processes ${list} run`;
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}

function problem(code: ProblemCode, text: string): Problem {
  return { code, text };
}
