/** What uses MPTCP on this machine, and what should but does not. Reads only. */
import type { Process, Processes } from "../kernel/processes.ts";
import { type DropInDirectories, type FoundDropIn, findDropIns } from "./drop-in.ts";
import { UnknownUnitError } from "./refusal.ts";
import { hasGoVariable, hasLibrary } from "./status-effect.ts";
import { joinSockets, listAllSockets, type SocketStatus, socketsOf } from "./status-sockets.ts";
import { type UnitSources, type UnitStatus, unitStatus } from "./status-unit.ts";
import type { Systemctl } from "./systemd/systemctl.ts";
import { findUnitInAnyState } from "./unit.ts";

export type ProcessStatus = {
  readonly pid: number;
  readonly name: string;
  /** What of `mptcpize run` is to be seen in it; undefined where that cannot be seen. */
  readonly library: boolean | undefined;
  readonly goVariable: boolean | undefined;
  readonly sockets: readonly SocketStatus[];
  /** Whether only root may see its sockets. */
  readonly partial: boolean;
};

export type Status = {
  readonly units: readonly UnitStatus[];
  readonly processes: readonly ProcessStatus[];
  /** Whether there are processes or network namespaces that only root may look into. */
  readonly partial: boolean;
  /** Of words or enabled units that there is nothing to say of: UnknownUnitError, UnknownProcessError, and others. */
  readonly failures: readonly unknown[];
};

export type StatusSources = {
  readonly systemctl: Systemctl;
  readonly directories: DropInDirectories;
  readonly processes: Processes;
  /** See UnitSources. */
  attachedCgroups(): readonly string[] | undefined;
  readonly user: boolean;
};

class UnknownProcessError extends Error {
  override readonly name = "UnknownProcessError";
  readonly code = "UNKNOWN_PROCESS";

  constructor(pid: string) {
    super(`there is no process ${pid}`);
  }
}

/**
 * @param words units and process ids; none: every unit that is enabled, and every process with MPTCP sockets
 */
export async function gatherStatus(words: readonly string[], sources: StatusSources): Promise<Status> {
  const running = sources.processes.list();
  const { lists, closed } = await listAllSockets(sources.processes, running);
  const sockets = joinSockets(lists, running);
  const failures: unknown[] = [];
  // Who asks for one unit need not hear of the others.
  const found = findDropIns(sources.directories, words.length === 0 ? failures : []);
  const isPid = (word: string) => /^[1-9]\d*$/.test(word);
  const given = words.length === 0 ? found.map(({ unit }) => unit) : words.filter((word) => !isPid(word));
  const units = await each(given, failures, (word) =>
    statusOfUnit(word, found, { ...sources, running, sockets }),
  );
  const chosen =
    words.length === 0
      ? withMptcp(running, sockets, units)
      : await each(words.filter(isPid), failures, (pid) => findProcess(pid, running));
  return {
    units,
    processes: chosen.map((process) => processStatus(process, sources.processes, sockets)),
    partial: closed.length > 0 || running.some((process) => process.sockets === undefined),
    failures,
  };
}

/** Where it fails for one word, the others have their turn all the same. */
async function each<T>(
  words: readonly string[],
  failures: unknown[],
  answer: (word: string) => T | Promise<T>,
): Promise<T[]> {
  const answers: T[] = [];
  for (const word of words)
    try {
      answers.push(await answer(word));
    } catch (error) {
      failures.push(error);
    }
  return answers;
}

async function statusOfUnit(
  given: string,
  found: readonly FoundDropIn[],
  sources: UnitSources,
): Promise<UnitStatus> {
  const unit = await findUnitInAnyState(given, sources.systemctl);
  const enabling =
    found.find((dropIn) => dropIn.unit === unit.name) ??
    found.find((dropIn) => dropIn.unit === unit.templateName);
  if (unit.fragment === undefined && enabling === undefined) throw new UnknownUnitError(given);
  return unitStatus(unit, enabling, sources);
}

/** Those of units are shown with them. */
function withMptcp(
  running: readonly Process[],
  sockets: readonly SocketStatus[],
  units: readonly UnitStatus[],
): Process[] {
  const shown = new Set(units.flatMap(({ processes }) => processes.map(({ pid }) => pid)));
  const mptcp = sockets.filter(({ protocol }) => protocol === "mptcp");
  const pids = new Set(mptcp.flatMap(({ holders }) => holders.map(({ pid }) => pid)));
  return running.filter(({ pid }) => pids.has(pid) && !shown.has(pid));
}

function findProcess(pid: string, running: readonly Process[]): Process {
  const found = running.find((process) => process.pid === Number(pid));
  if (found === undefined) throw new UnknownProcessError(pid);
  return found;
}

function processStatus(
  process: Process,
  processes: Processes,
  sockets: readonly SocketStatus[],
): ProcessStatus {
  const { pid, name } = process;
  return {
    pid,
    name,
    library: hasLibrary(pid, processes),
    goVariable: hasGoVariable(pid, processes),
    sockets: socketsOf(sockets, new Set([pid])),
    partial: process.sockets === undefined,
  };
}
