/** What there is to say of one unit: gathered from systemd, its files and its processes. Reads only. */
import { existsSync, statSync } from "node:fs";
import type { Process, Processes } from "../kernel/processes.ts";
import { isCgroupOfUnit } from "./bpf-units.ts";
import type { DropIn, FoundDropIn } from "./drop-in.ts";
import { exposureOf } from "./exposure.ts";
import { effectiveProtocol } from "./socket-plan.ts";
import { findOverridden, hasGoVariable, hasLibrary, leftProcesses, supervisorName } from "./status-effect.ts";
import {
  type EnabledFacts,
  exposureProblems,
  leftProblems,
  type PassedSockets,
  type Problem,
  type ProcessFacts,
  problemsOf,
  reloadProblems,
} from "./status-problems.ts";
import { type Holder, type SocketStatus, socketsOf } from "./status-sockets.ts";
import { execLines } from "./systemd/exec-line.ts";
import { Properties, type Systemctl } from "./systemd/systemctl.ts";
import { acceptingSocket, readUnitFiles, type Unit, type UnitFiles } from "./unit.ts";
import type { Way } from "./ways.ts";

export type UnitStatus = {
  readonly unit: string;
  /** Undefined if it is not enabled. For an instance, its template's may do. */
  readonly enabled: { readonly path: string; readonly way: Way } | undefined;
  /** ActiveState of systemd; of a template, whether any instance has processes. */
  readonly active: string;
  /** Whether it uses MPTCP wherever the other side takes part; undefined if there are no sockets to tell by. */
  readonly works: boolean | undefined;
  readonly processes: readonly Holder[];
  readonly sockets: readonly SocketStatus[];
  readonly problems: readonly Problem[];
  /** Whether only root may see all its sockets. */
  readonly partial: boolean;
};

export type UnitSources = {
  readonly systemctl: Systemctl;
  readonly processes: Processes;
  /** Everything that runs. */
  readonly running: readonly Process[];
  /** Of all processes. */
  readonly sockets: readonly SocketStatus[];
  /** The directories of the cgroups that the BPF program is attached to; undefined if that cannot be seen. */
  attachedCgroups(): readonly string[] | undefined;
  /** Whether it is the user's own manager that is asked. */
  readonly user: boolean;
};

export async function unitStatus(
  unit: Unit,
  found: FoundDropIn | undefined,
  sources: UnitSources,
): Promise<UnitStatus> {
  const shown = new Properties(await sources.systemctl.show(unit.name, shownProperties));
  const members = membersOf(unit, shown.text("ControlGroup"), sources);
  const pids = new Set(members.map(({ pid }) => pid));
  const isSocket = unit.type === "socket";
  const sockets = isSocket
    ? sources.sockets.filter((socket) => isListenedOn(socket, shown.lines("Listen")))
    : socketsOf(sources.sockets, pids);
  const holders = isSocket ? sources.running : members;
  const partial = holders.some((process) => process.sockets === undefined);
  const gathered = { ...sources, shown, members, own: sockets };
  const problems =
    found === undefined
      ? [
          ...reloadProblems({ needsReload: shown.yes("NeedDaemonReload"), user: sources.user }),
          ...leftBehind(unit, gathered),
        ]
      : problemsOf(await enabledFacts(unit, found, gathered));
  const dropIns = [...unit.dropIns, ...(found === undefined ? [] : [found.path])];
  return {
    unit: unit.name,
    enabled: found && { path: found.path, way: found.dropIn.way },
    active: unit.template ? (members.length > 0 ? "active" : "inactive") : shown.text("ActiveState"),
    works: partial ? undefined : isWorking(sockets),
    processes: members.map(({ pid, name }) => ({ pid, name })),
    sockets,
    problems: [...problems, ...exposureProblems(exposureOf(unit.name, dropIns))],
    partial,
  };
}

/** Some problems show at the next start only. */
function isWorking(sockets: readonly SocketStatus[]): boolean | undefined {
  return sockets.length === 0
    ? undefined
    : sockets.every(({ protocol, fallback }) => protocol === "mptcp" || fallback);
}

const shownProperties = [
  "LoadState",
  "NeedDaemonReload",
  "ActiveState",
  "ControlGroup",
  "MainPID",
  "TriggeredBy",
  "Listen",
  "Environment",
  "ExecStart",
];

type Gathered = UnitSources & {
  readonly shown: Properties;
  readonly members: readonly Process[];
  /** The sockets of the unit. */
  readonly own: readonly SocketStatus[];
};

async function enabledFacts(unit: Unit, found: FoundDropIn, gathered: Gathered): Promise<EnabledFacts> {
  const { path, dropIn } = found;
  const { shown, own, systemctl, user } = gathered;
  const files = filesOf(unit);
  const passed = await passedSockets(unit, gathered);
  return {
    unit: unit.name,
    user,
    path,
    dropIn,
    writtenAt: statSync(path).mtimeMs,
    loadState: shown.text("LoadState"),
    needsReload: shown.yes("NeedDaemonReload"),
    dropInsRead: unit.dropIns,
    missing: [dropIn.library, dropIn.launcher].find((file) => file !== undefined && !existsSync(file)),
    execStart: execLines(files?.assignments ?? [], "ExecStart"),
    overridden: files && (await findOverridden(unit.name, dropIn, files, systemctl)),
    listeners: own.filter(({ state }) => state === "listen"),
    processes: processFacts(unit, dropIn, passed.listeners, gathered),
    passed,
  };
}

/** What a unit that is not enabled, or no longer, still has of it. */
function leftBehind(unit: Unit, { shown, members, own, processes, user }: Gathered): Problem[] {
  if (unit.type !== "socket") {
    const left = leftProcesses(members, shown, processes);
    return leftProblems({ unit: unit.name, user, processes: left, listens: false });
  }
  const protocol = effectiveProtocol(filesOf(unit)?.assignments ?? []);
  const listens = protocol === undefined && own.some((socket) => socket.protocol === "mptcp");
  return leftProblems({ unit: unit.name, user, processes: [], listens });
}

/** systemd may know files that are gone by now. */
function filesOf({ fragment, dropIns }: Unit): UnitFiles | undefined {
  if (fragment === undefined || !existsSync(fragment)) return undefined;
  return readUnitFiles(
    fragment,
    dropIns.filter((path) => existsSync(path)),
  );
}

/** A template's are those of all its instances. */
function membersOf(unit: Unit, controlGroup: string, { running, user }: UnitSources): Process[] {
  if (!unit.template)
    return controlGroup === ""
      ? []
      : running.filter(({ cgroup }) => `${cgroup}/`.startsWith(`${controlGroup}/`));
  return running.filter(
    ({ cgroup }) =>
      isOfUserManager(cgroup) === user &&
      cgroup.split("/").some((component) => isCgroupOfUnit(component, unit.name)),
  );
}

/** A user's own manager runs in user@UID.service of the system's. */
function isOfUserManager(cgroup: string): boolean {
  return /\/user@\d+\.service\//.test(cgroup);
}

/** @param listen lines such as "[::]:80 (Stream)" */
function isListenedOn({ state, local }: SocketStatus, listen: readonly string[]): boolean {
  const address = local.address.includes(":") ? `[${local.address}]` : local.address;
  return state === "listen" && listen.includes(`${address}:${local.port} (Stream)`);
}

async function passedSockets(unit: Unit, gathered: Gathered): Promise<PassedSockets> {
  const { systemctl, shown, sockets } = gathered;
  const accepting = await acceptingSocket(unit.name, systemctl);
  const common = { accept: accepting !== undefined, systemdVersion: await systemctl.version() };
  if (accepting === undefined) {
    const units = shown.words("TriggeredBy").filter((name) => name.endsWith(".socket"));
    return { ...common, listeners: passedListeners(gathered), sockets: units };
  }
  const listen = new Properties(await systemctl.show(accepting, ["Listen"])).lines("Listen");
  const listeners = sockets.filter((socket) => isListenedOn(socket, listen));
  return { ...common, listeners, sockets: [accepting] };
}

/** Of a service that a socket unit starts: listeners that somebody outside of it, systemd, has open as well. */
function passedListeners({ shown, members, sockets }: Gathered): SocketStatus[] {
  if (shown.text("TriggeredBy") === "") return [];
  const inside = new Set(members.map(({ pid }) => pid));
  return sockets.filter(
    ({ state, holders }) =>
      state === "listen" &&
      holders.some(({ pid }) => inside.has(pid)) &&
      holders.some(({ pid }) => !inside.has(pid)),
  );
}

function processFacts(
  unit: Unit,
  dropIn: DropIn,
  passed: readonly SocketStatus[],
  gathered: Gathered,
): ProcessFacts[] {
  const { shown, members, own } = gathered;
  const plain = own.filter(
    ({ protocol, fallback, local, networkNamespace }) =>
      protocol === "tcp" &&
      !fallback &&
      !passed.some(
        (listener) => listener.networkNamespace === networkNamespace && listener.local.port === local.port,
      ),
  );
  const mainPid = Number(shown.text("MainPID"));
  return members.map(({ pid, name, startedAt }) => ({
    pid,
    name,
    startedAt,
    counts: pid === mainPid || plain.some(({ holders }) => holders.some((holder) => holder.pid === pid)),
    reached: isReached(pid, unit, dropIn, gathered),
  }));
}

/** By what the way of the unit leaves in a process, or around it. Undefined if that cannot be seen. */
function isReached(pid: number, unit: Unit, { way }: DropIn, gathered: Gathered): boolean | undefined {
  if (way === "preload") return hasLibrary(pid, gathered.processes);
  if (way === "go") return hasGoVariable(pid, gathered.processes);
  if (way === "seccomp") return gathered.members.some(({ name }) => name === supervisorName);
  if (way === "bpf")
    return gathered.attachedCgroups()?.some((directory) => isCgroupOfUnit(directory, unit.name));
  return undefined;
}
