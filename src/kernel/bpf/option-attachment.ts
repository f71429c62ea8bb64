/**
 * The programs for socket options: pinned once, with a link to each cgroup that is attached. Whoever calls this holds
 * the lock of attachment.ts.
 */
import { closeSync, existsSync, openSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { bytesOfText } from "../../base/bytes.ts";
import { numbersTypes } from "./btf.ts";
import { learnAnswers } from "./option-answers.ts";
import { getProgram, setProgram } from "./option-programs.ts";
import { encodeRows, keySize, maxSlots, type OptionMaps, rowSize, slotSize } from "./option-rows.ts";
import { makePinDirectory, pinDirectory, removePin } from "./pins.ts";
import {
  attachToCgroup,
  createMap,
  createSocketStorage,
  explained,
  loadOptionProgram,
  type OptionCall,
  openPinned,
  pin,
  putValue,
} from "./syscalls.ts";

/**
 * From now on, sockets of MPTCP that tasks of this cgroup make take the options that MPTCP refuses and that are hints.
 * Throws a BpfError where that cannot be; all is then as before.
 */
export function attachOptions(directory: string, id: bigint): void {
  try {
    makePinDirectory();
    if (!calls.every((call) => existsSync(programPath(call)))) pinPrograms();
    for (const call of calls) if (!existsSync(linkPath(call, id))) pinLink(call, directory, id);
  } catch (error) {
    for (const call of calls) removePin(linkPath(call, id));
    removeUnusedPrograms();
    throw explained(error);
  }
}

/** Takes the programs from all other cgroups, also from those that ended, and unloads them if none is left. */
export function keepOptions(ids: ReadonlySet<bigint>): void {
  for (const name of linkNames())
    if (!ids.has(BigInt(name.slice(name.indexOf("-") + 1)))) removePin(join(pinDirectory, name));
  removeUnusedPrograms();
}

const calls: readonly OptionCall[] = ["setsockopt", "getsockopt"];
const mostRows = 1024;

function programPath(call: OptionCall): string {
  return join(pinDirectory, call);
}

function linkPath(call: OptionCall, id: bigint): string {
  return join(pinDirectory, `${call}-${id}`);
}

function linkNames(): string[] {
  if (!existsSync(pinDirectory)) return [];
  return readdirSync(pinDirectory).filter((name) => /^[gs]etsockopt-\d+$/.test(name));
}

function removeUnusedPrograms(): void {
  if (linkNames().length === 0) for (const call of calls) removePin(programPath(call));
}

/** What a crash has left of them is replaced. */
function pinPrograms(): void {
  closing((opened) => {
    const rows = encodeRows(learnAnswers());
    const maps: OptionMaps = {
      rows: opened(createMap("mptcpize_rows", { keySize, valueSize: rowSize, maxEntries: mostRows })),
      storage: opened(createSocketStorage("mptcpize_values", numbersTypes((maxSlots * slotSize) / 4))),
    };
    for (const { key, value } of rows) putValue(maps.rows, key, value);
    const programs = { setsockopt: setProgram(maps), getsockopt: getProgram(maps) };
    for (const call of calls) {
      removePin(programPath(call));
      pin(opened(loadOptionProgram(`mptcpize_${call.slice(0, 3)}`, programs[call], call)), programPath(call));
    }
  });
}

function pinLink(call: OptionCall, directory: string, id: bigint): void {
  closing((opened) => {
    const cgroup = opened(openSync(bytesOfText(directory), "r"));
    const program = opened(openPinned(programPath(call)));
    pin(opened(attachToCgroup(program, cgroup, call)), linkPath(call, id));
  });
}

/** Closes what `act` says to have opened: what is pinned stays. */
function closing(act: (opened: (fd: number) => number) => void): void {
  const open: number[] = [];
  try {
    act((fd) => {
      open.push(fd);
      return fd;
    });
  } finally {
    for (const fd of open) closeSync(fd);
  }
}
