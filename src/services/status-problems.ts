/** What keeps an enabled unit from using MPTCP, and what to do about it. Pure: facts go in. */
import type { DropIn } from "./drop-in.ts";
import type { SocketStatus } from "./status-sockets.ts";

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

/** The text is one line: what is wrong, where, what helps. */
export type Problem = { readonly code: ProblemCode; readonly text: string };

export type EnabledFacts = {
  readonly unit: string;
  /** Whether it is one of the user's own manager. */
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
  /** The library or the launcher, if it is not there. */
  readonly missing: string | undefined;
  /** ExecStart= of the unit without the drop-in. */
  readonly execStart: readonly string[];
  /** What of the drop-in does not hold, and the place that decides instead. */
  readonly overridden: { readonly what: string; readonly where: string } | undefined;
  /** What the unit listens on now. */
  readonly listeners: readonly SocketStatus[];
  readonly processes: readonly ProcessFacts[];
  /** Those of them that systemd has made and handed over, and the units that they are of. */
  readonly passed: { readonly listeners: readonly SocketStatus[]; readonly sockets: readonly string[] };
};

export type ProcessFacts = {
  readonly pid: number;
  readonly name: string;
  readonly startedAt: number;
  /** Whether it is the main process, or has TCP sockets: whether it matters. */
  readonly counts: boolean;
  /** Whether the way of the unit has reached it; undefined if that cannot be seen. */
  readonly reached: boolean | undefined;
};

export function problemsOf(facts: EnabledFacts): Problem[] {
  const { loadState, unit, user } = facts;
  if (loadState !== "loaded")
    return [
      problem("no-unit", `systemd cannot load ${unit} (${loadState}): ${mptcpize("disable", user)} ${unit}`),
    ];
  return [...fileProblems(facts), ...listenerProblems(facts), ...processProblems(facts)];
}

/** Holds for units that are not enabled as well: systemd may still have a drop-in of ours that is gone. */
export function reloadProblems({ needsReload, user }: Pick<EnabledFacts, "needsReload" | "user">): Problem[] {
  if (!needsReload) return [];
  const text = `files of the unit have changed since systemd read them: ${systemctl(user)} daemon-reload`;
  return [problem("needs-reload", text)];
}

/** Holds for units that are not enabled as well. @param lines of `exposureOf` */
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
    found.push(problem("missing-file", `${missing} is missing: install it, or ${enable} ${unit} again`));
  if (dropIn.way === "seccomp" && !isSame(dropIn.originalExecStart, execStart))
    found.push(
      problem("exec-start-changed", `the unit's ExecStart= has changed since: ${enable} ${unit} again`),
    );
  if (isRead && overridden !== undefined)
    found.push(problem("overridden", `${overridden.where} decides over ${overridden.what}`));
  return found;
}

function processProblems({ unit, user, dropIn, writtenAt, processes }: EnabledFacts): Problem[] {
  const missed = processes.filter(({ counts, reached }) => counts && reached === false);
  const old = missed.filter(({ startedAt }) => startedAt < writtenAt);
  const young = missed.filter(({ startedAt }) => startedAt >= writtenAt);
  return [
    ...(old.length === 0
      ? []
      : [
          problem(
            "not-restarted",
            `enabled, but not restarted since: ${named(old)} without it: ${systemctl(user)} restart ${unit}`,
          ),
        ]),
    ...(young.length === 0
      ? []
      : [problem("not-reached", `${named(young)} without it: ${reaching(unit, user, dropIn)}`)]),
  ];
}

/** What the library and the variable do not reach, such as a static program behind a shell, the supervisor may. */
function reaching(unit: string, user: boolean, { way }: DropIn): string {
  const why = "`mptcpize run -d` tells why for a program";
  if (way !== "preload" && way !== "go") return why;
  return `${why}; \`${mptcpize("enable", user)} --how=seccomp ${unit}\` reaches static ones, too`;
}

function listenerProblems({ unit, user, dropIn, listeners, passed }: EnabledFacts): Problem[] {
  const isTcp = ({ protocol }: SocketStatus) => protocol === "tcp";
  if (dropIn.way === "socket" && listeners.some(isTcp))
    return [problem("not-restarted", `it still listens with TCP: ${systemctl(user)} restart ${unit}`)];
  if (!passed.listeners.some(isTcp)) return [];
  const units = passed.sockets.join(" ");
  return [
    problem("passed-sockets", `TCP listeners come from ${units}: ${mptcpize("enable", user)} ${units}`),
  ];
}

function systemctl(user: boolean): string {
  return user ? "systemctl --user" : "systemctl";
}

function mptcpize(command: "enable" | "disable", user: boolean): string {
  return `mptcpize ${command}${user ? " --user" : ""}`;
}

function named(processes: readonly ProcessFacts[]): string {
  const list = processes.map(({ pid, name }) => `${pid} (${name})`).join(", ");
  return processes.length === 1 ? `process ${list} runs` : `processes ${list} run`;
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}

function problem(code: ProblemCode, text: string): Problem {
  return { code, text };
}
