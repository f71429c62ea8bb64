/**
 * One program for the whole machine, pinned, with the set of cgroups whose sockets it makes MPTCP. It comes with the
 * first cgroup and goes with the last. A cgroup that ended is swept out at the next opportunity; its id never returns.
 */
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { pollFor } from "../../base/deadlines.ts";
import { Cgroups, cgroupId, rootCgroupId } from "../cgroups.ts";
import { lockFile } from "../file-lock.ts";
import { SystemError } from "../netlink/addon.ts";
import { Sysctls } from "../sysctl.ts";
import { findFunction, readKernelTypes } from "./btf.ts";
import { attachOptions, keepOptions } from "./option-attachment.ts";
import { bpffs, isBpffs, makePinDirectory, pinDirectory, removePin, removePinDirectory } from "./pins.ts";
import { attachedFunction, socketProgram } from "./socket-program.ts";
import {
  addId,
  attachProgram,
  BpfError,
  createIdSet,
  deleteId,
  explained,
  type IdSet,
  listIds,
  loadProgram,
  openPinned,
  pin,
} from "./syscalls.ts";

export type AttachOptions = {
  /** To take the socket options that MPTCP refuses and that are hints; the default. */
  readonly answersOptions?: boolean;
};

/**
 * From now on, TCP sockets that tasks of this cgroup make are MPTCP. Throws a BpfError where that cannot be.
 *
 * @returns why there are no answers for socket options, where the kernel takes no such programs
 */
export async function attachCgroup(
  directory: string,
  { answersOptions = true }: AttachOptions = {},
): Promise<BpfError | undefined> {
  requireMptcp();
  const id = cgroupId(directory);
  if (id === rootCgroupId)
    throw new BpfError("CGROUP", "the root of all cgroups is the whole machine: it takes a cgroup below it");
  let missing: BpfError | undefined;
  await changeAttachedSet(
    () => openSet() ?? startAndPin(),
    (cgroups) => {
      addId(cgroups, id);
      if (answersOptions) missing = refusalIn(() => attachOptions(directory, id));
    },
  );
  return missing;
}

/** Takes out the cgroups of which `isMeant` is true, and those that ended. Sockets that exist stay what they are. */
export async function detachCgroups(isMeant: (directory: string) => boolean): Promise<void> {
  requireRoot();
  if (!isBpffs()) return;
  await changeAttachedSet(openSet, (cgroups) => {
    for (const [id, directory] of directoriesOf(cgroups)) if (isMeant(directory)) deleteId(cgroups, id);
  });
}

/** The directories of the cgroups that are attached. */
export function attachedCgroups(): string[] {
  requireRoot();
  const cgroups = isBpffs() ? openSet() : undefined;
  if (cgroups === undefined) return [];
  try {
    return [...directoriesOf(cgroups).values()];
  } finally {
    closeSync(cgroups.fd);
  }
}

/**
 * Loads and attaches the program, for no cgroup, and lets go of it. Throws a BpfError if this machine does not take it.
 */
export async function checkProgram(): Promise<void> {
  requireMptcp();
  new Cgroups();
  await exclusively(() => {
    const { cgroups, link } = loadAndAttach();
    closeSync(link);
    closeSync(cgroups.fd);
  });
}

/** Throws a BpfError. */
export function requireRoot(): void {
  if (process.geteuid?.() !== 0) throw new BpfError("EPERM", "BPF programs take root");
}

const setPath = join(pinDirectory, "cgroups");
const linkPath = join(pinDirectory, "link");

const maxCgroups = 16_384;
const lockDeadlineMs = 10_000;
const lockIntervalMs = 20;

/** Changes the set of attached cgroups that `open` gives, if there is one. The program ends when the set is empty. */
async function changeAttachedSet(
  open: () => IdSet | undefined,
  act: (cgroups: IdSet) => void,
): Promise<void> {
  await exclusively(() => {
    const cgroups = open();
    if (cgroups === undefined) return;
    try {
      sweep(cgroups);
      act(cgroups);
    } finally {
      const ids = new Set(listIds(cgroups));
      if (ids.size === 0) unpin();
      else keepOptions(ids);
      closeSync(cgroups.fd);
    }
  });
}

/** What a machine that does not take the programs says. */
function refusalIn(act: () => void): BpfError | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof BpfError) return error;
    throw error;
  }
}

/** Between processes too: services start side by side. */
async function exclusively(act: () => void): Promise<void> {
  requireRoot();
  if (!isBpffs())
    throw new BpfError(
      "BPFFS",
      `no BPF file system is mounted at ${bpffs}: \`mount -t bpf bpf ${bpffs}\` does it`,
    );
  const lock = openSync(bpffs, "r");
  try {
    const wait = { intervalMs: lockIntervalMs, deadlineMs: lockDeadlineMs };
    if (!(await pollFor(() => lockFile(lock), wait)))
      throw new BpfError("EBUSY", `another process holds the lock of ${bpffs} for ${lockDeadlineMs} ms`);
    act();
  } finally {
    closeSync(lock);
  }
}

/** The set of a program that runs. */
function openSet(): IdSet | undefined {
  try {
    // A link without a set, or a set without a link, is what a crash left: it counts as nothing.
    closeSync(openPinned(linkPath));
    return { fd: openPinned(setPath) };
  } catch (error) {
    if (error instanceof SystemError && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** A new program, which outlives this process. */
function startAndPin(): IdSet {
  unpin();
  const { cgroups, link } = loadAndAttach();
  try {
    makePinDirectory();
    pin(cgroups.fd, setPath);
    pin(link, linkPath);
  } catch (error) {
    unpin();
    throw error;
  } finally {
    closeSync(link);
  }
  return cgroups;
}

/** A new program for no cgroup yet, which runs as long as `link` is open or pinned. */
function loadAndAttach(): { cgroups: IdSet; link: number } {
  const functionId = findFunction(readKernelTypes(), attachedFunction);
  if (functionId === undefined)
    throw new BpfError("KERNEL", `this kernel has no ${attachedFunction}: it takes Linux 6.6 or newer`);
  const open: number[] = [];
  try {
    const cgroups = createIdSet("mptcpize_cgroup", maxCgroups);
    open.push(cgroups.fd);
    const program = loadProgram("mptcpize", socketProgram(cgroups.fd), functionId);
    open.push(program);
    const link = attachProgram(program);
    closeSync(program);
    return { cgroups, link };
  } catch (error) {
    for (const fd of open) closeSync(fd);
    throw explained(error);
  }
}

/** The directories of those in the set that still exist, by id. */
function directoriesOf(cgroups: IdSet): Map<bigint, string> {
  const ids = new Set(listIds(cgroups));
  if (ids.size === 0) return new Map();
  return new Map([...new Cgroups().directories()].filter(([id]) => ids.has(id)));
}

/** Takes out what ended. In a container, cgroups that are out of sight may well exist. */
function sweep(cgroups: IdSet): void {
  if (!new Cgroups().isWhole) return;
  const alive = directoriesOf(cgroups);
  for (const id of listIds(cgroups)) if (!alive.has(id)) deleteId(cgroups, id);
}

function unpin(): void {
  for (const path of [linkPath, setPath]) removePin(path);
  keepOptions(new Set());
  removePinDirectory();
}

/** The program cannot fall back: where MPTCP is switched off, sockets would fail. */
function requireMptcp(): void {
  const enabled = new Sysctls().mptcp("enabled");
  if (enabled === undefined) throw new BpfError("MPTCP", "this kernel has no MPTCP");
  if (!enabled)
    throw new BpfError("MPTCP", "net.mptcp.enabled is 0: switch it on first (sysctl net.mptcp.enabled=1)");
}
