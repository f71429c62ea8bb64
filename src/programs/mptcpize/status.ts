/** `mptcpize status`, for people and for programs. The JSON is described in docs/mptcpize.md. */

import { table } from "../../base/command-line/terminal.ts";
import { attachedCgroups } from "../../kernel/bpf/attachment.ts";
import { Processes } from "../../kernel/processes.ts";
import type { SocketAddress } from "../../kernel/sockets.ts";
import { Sysctls } from "../../kernel/sysctl.ts";
import { dropInDirectories } from "../../services/drop-in.ts";
import { gatherStatus, type ProcessStatus, type Status } from "../../services/status.ts";
import type { SocketStatus } from "../../services/status-sockets.ts";
import type { UnitStatus } from "../../services/status-unit.ts";
import { endingOf, exitCodes, type StandardStreams } from "./output.ts";
import { openSystemctl } from "./surroundings.ts";

export type StatusOptions = {
  readonly json?: boolean;
  readonly user?: boolean;
};

/** @param words units and process ids */
export async function runStatus(
  words: readonly string[],
  { json = false, user = false }: StatusOptions,
  streams: StandardStreams,
): Promise<number> {
  const status = await gatherStatus(words, {
    systemctl: openSystemctl(user),
    directories: dropInDirectories({ user }),
    processes: new Processes(),
    attachedCgroups: () => (process.geteuid?.() === 0 ? attachedCgroups() : undefined),
    user,
  });
  if (status.partial) streams.warn("the sockets of some processes cannot be read; run it as root to see all");
  const enabled = new Sysctls().mptcp("enabled");
  if (enabled === undefined) streams.warn("this kernel has no MPTCP: every socket is TCP");
  else if (!enabled) streams.warn("net.mptcp.enabled is 0: new sockets are TCP");
  for (const failure of status.failures) {
    const { line } = endingOf(failure);
    if (line !== undefined) streams.warn(line);
  }
  streams.write(json ? statusJson(status) : statusText(status));
  return status.failures.length === 0 ? exitCodes.ok : exitCodes.failed;
}

function statusText({ units, processes, partial, failures }: Status): string {
  const all = [...units, ...processes].flatMap(({ sockets }) => sockets);
  const namespaces = new Set(all.map(({ networkNamespace }) => networkNamespace));
  const columns = namespaces.size > 1 ? [...commonColumns, namespaceColumn] : commonColumns;
  const blocks = [
    ...units.map((unit) => unitBlock(unit, columns)),
    ...processes.map((process) => processBlock(process, columns)),
  ];
  if (blocks.length > 0 || failures.length > 0) return blocks.join("\n");
  return `nothing is enabled, and no process${partial ? " that can be seen" : ""} has MPTCP sockets\n`;
}

function statusJson({ units, processes, partial }: Status): string {
  return `${JSON.stringify({ units: units.map(unitObject), processes: processes.map(processObject), partial })}\n`;
}

function unitBlock(unit: UnitStatus, columns: readonly Column[]): string {
  const { enabled, active, works, problems, sockets } = unit;
  const state = [
    enabled === undefined ? "not enabled" : `enabled by ${enabled.way}`,
    active,
    ...(works === undefined || enabled === undefined ? [] : [works ? "works" : "does not work"]),
  ];
  return [
    `${unit.unit}: ${state.join(", ")}\n`,
    ...(enabled === undefined ? [] : [`  drop-in: ${enabled.path}\n`]),
    ...problems.map(({ text }) => `  problem: ${text}\n`),
    `  MPTCP: ${summary(unit)}\n`,
    socketTable(sockets, columns),
  ].join("");
}

function processBlock(process: ProcessStatus, columns: readonly Column[]): string {
  const { pid, name, library, goVariable, sockets } = process;
  const marks = [
    ...(library ? ["has the library"] : []),
    ...(goVariable ? ["has GODEBUG=multipathtcp=1"] : []),
  ];
  return [
    `process ${pid} (${name})${marks.map((mark) => `, ${mark}`).join("")}\n`,
    `  MPTCP: ${summary(process)}\n`,
    socketTable(sockets, columns),
  ].join("");
}

function summary({ sockets, partial }: Pick<ProcessStatus, "sockets" | "partial">): string {
  if (partial) return "only root can tell";
  if (sockets.length === 0) return "no sockets of MPTCP or TCP";
  const listeners = sockets.filter(({ state }) => state === "listen");
  const connections = sockets.filter(({ state }) => state !== "listen");
  const fallbacks = connections.filter(({ fallback }) => fallback).length;
  const fellBack = fallbacks === 0 ? "" : ` (${fallbacks} fell back to TCP)`;
  return [
    ...(listeners.length === 0 ? [] : [`${share(listeners)} listeners`]),
    ...(connections.length === 0 ? [] : [`${share(connections)} connections${fellBack}`]),
  ].join(", ");
}

function share(sockets: readonly SocketStatus[]): string {
  return `${sockets.filter(isOnWire).length} of ${sockets.length}`;
}

/** After a fallback, the program still has an MPTCP socket, but the packets are plain TCP. */
function isOnWire({ protocol, fallback }: SocketStatus): boolean {
  return protocol === "mptcp" && !fallback;
}

type Column = { readonly title: string; cell(socket: SocketStatus): string };

const commonColumns: readonly Column[] = [
  {
    title: "PROTOCOL",
    cell: ({ protocol, fallback }) => (fallback ? `${protocol} (fallback)` : protocol),
  },
  { title: "STATE", cell: ({ state }) => state },
  { title: "LOCAL", cell: ({ local }) => addressText(local) },
  { title: "REMOTE", cell: ({ remote }) => (remote === undefined ? "*" : addressText(remote)) },
  { title: "SUBFLOWS", cell: ({ subflows }) => String(subflows ?? "-") },
  { title: "PROCESS", cell: ({ holders }) => holders.map(({ pid, name }) => `${name}[${pid}]`).join(" ") },
];

const namespaceColumn: Column = {
  title: "NETNS",
  cell: ({ networkNamespace }) => String(networkNamespace),
};

function socketTable(sockets: readonly SocketStatus[], columns: readonly Column[]): string {
  if (sockets.length === 0) return "";
  const rows = sockets.map((socket) => columns.map(({ cell }) => cell(socket)));
  return table([columns.map(({ title }) => title), ...rows], "  ");
}

function addressText({ address, port }: SocketAddress): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function unitObject({ unit, enabled, active, works, problems, processes, sockets, partial }: UnitStatus) {
  return {
    unit,
    enabled: enabled !== undefined,
    way: enabled?.way ?? null,
    drop_in: enabled?.path ?? null,
    active,
    works: works ?? null,
    problems: problems.map(({ code, text }) => ({ code, text })),
    processes: processes.map(({ pid, name }) => ({ pid, name })),
    sockets: sockets.map(socketObject),
    partial,
  };
}

function processObject({ pid, name, library, goVariable, sockets, partial }: ProcessStatus) {
  return {
    pid,
    name,
    library: library ?? null,
    godebug: goVariable ?? null,
    sockets: sockets.map(socketObject),
    partial,
  };
}

function socketObject({
  protocol,
  state,
  local,
  remote,
  fallback,
  subflows,
  networkNamespace,
  holders,
}: SocketStatus) {
  return {
    protocol,
    state,
    local,
    remote: remote ?? null,
    fallback,
    subflows: subflows ?? null,
    netns: networkNamespace,
    processes: holders.map(({ pid, name }) => ({ pid, name })),
  };
}
