import { release } from "node:os";

/** A virtual machine of tools/vm.mjs: tests run in its sandbox ("plain"), or beside a systemd that is process 1. */
export type Machine = "plain" | "systemd";

/** The first kernel that lets BPF choose a socket's protocol. */
export const linuxWithUpdateSocketProtocol = "6.6";

export function isInMachine(machine: Machine): boolean {
  const { MPTCPD_VM } = process.env;
  return MPTCPD_VM === machine;
}

/** For node:test's `skip`: false in such a machine, or else the reason. Versions are those of Linux. */
export function requiresMachine(
  machine: Machine,
  { from = "0", before = "1000" }: { from?: string; before?: string } = {},
): string | false {
  if (!isInMachine(machine)) return "needs a virtual machine (npm run test:vm)";
  if (isOlder(release(), from)) return `is for Linux ${from} and newer`;
  return !isOlder(release(), before) && `is for kernels before Linux ${before}`;
}

/** Whether the kernel that the tests run on is of an older Linux than that. */
export function kernelIsOlderThan(version: string): boolean {
  return isOlder(release(), version);
}

function isOlder(version: string, other: string): boolean {
  const [major, minor] = numbers(version);
  const [otherMajor, otherMinor] = numbers(other);
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}

function numbers(version: string): [number, number] {
  const [major = "0", minor = "0"] = version.split(/[.-]/);
  return [Number(major), Number(minor)];
}
