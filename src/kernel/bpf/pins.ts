/** Where our maps, programs and links are kept while no process has them open. */

import { existsSync, mkdirSync, rmdirSync, statfsSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { hasCode } from "../../base/errors.ts";

export const bpffs = "/sys/fs/bpf";
export const pinDirectory = join(bpffs, "mptcpize");

/** BPF_FS_MAGIC, include/uapi/linux/magic.h */
const bpffsType = 0xcafe4a11;

export function isBpffs(): boolean {
  return existsSync(bpffs) && statfsSync(bpffs).type === bpffsType;
}

export function makePinDirectory(): void {
  mkdirSync(pinDirectory, { recursive: true, mode: 0o700 });
}

/** It has to be empty. */
export function removePinDirectory(): void {
  ignoring("ENOENT", () => rmdirSync(pinDirectory));
}

export function removePin(path: string): void {
  ignoring("ENOENT", () => unlinkSync(path));
}

function ignoring(code: string, act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!hasCode(error, code)) throw error;
  }
}
