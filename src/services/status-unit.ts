/** What there is to say of one unit: gathered from systemd, its files and its processes. Reads only. */
import { existsSync, statSync } from "node:fs";
import { basename } from "node:path";
import type { Process, Processes } from "../kernel/processes.ts";
import { execLines } from "../systemd/exec-line.ts";
import type { Systemctl } from "../systemd/systemctl.ts";
import { isCgroupOfUnit } from "./bpf-units.ts";
import type { DropIn, FoundDropIn } from "./drop-in.ts";
import { exposureOf } from "./exposure.ts";
import { Properties } from "./properties.ts";
import { findOverridden } from "./status-overridden.ts";
import {
  type EnabledFacts,
  exposureProblems,
  type Problem,
  type ProcessFacts,
  problemsOf,
  reloadProblems,
} from "./status-problems.ts";
import { type Holder, type SocketStatus, socketsOf } from "./status-sockets.ts";
import type { Unit } from "./unit.ts";
import { readUnitFiles, type UnitFiles } from "./unit-files.ts";
import type { Way } from "./way.ts";

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
  const problems =
    found === undefined
      ? reloadProblems({ needsReload: shown.yes("NeedDaemonReload"), user: sources.user })
      : problemsOf(await enabledFacts(unit, found, { ...sources, shown, members, own: sockets }));
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
  const passed = passedListeners(gathered);
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
    processes: processFacts(unit, dropIn, passed, gathered),
    passed: {
      listeners: passed,
      sockets: shown.words("TriggeredBy").filter((name) => name.endsWith(".socket")),
    },
  };
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

/** native/launcher/supervisor.c calls itself so. */
const supervisorName = "mptcpize";

/** Whether libmptcpwrap.so is loaded, this or another version of it. */
export function hasLibrary(pid: number, processes: Processes): boolean | undefined {
  const files = processes.mappedFiles(pid);
  return files && [...files].some((file) => basename(file).startsWith("libmptcpwrap.so"));
}

/** For a Go program, which looks at it alone, it means MPTCP. */
export function hasGoVariable(pid: number, processes: Processes): boolean | undefined {
  const environment = processes.environment(pid);
  return environment && /(?:^|,)multipathtcp=1(?:,|$)/.test(environment.get("GODEBUG") ?? "");
}
