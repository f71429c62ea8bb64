// The machines that packages are for, by the name of each kind of package, and what compiles for them.
import { arch } from "node:process";

const machines = [
  {
    deb: "amd64",
    rpm: "x86_64",
    node: "x64",
    triplet: "x86_64-linux-gnu",
    elf: "Advanced Micro Devices X86-64",
  },
  { deb: "arm64", rpm: "aarch64", node: "arm64", triplet: "aarch64-linux-gnu", elf: "AArch64" },
];

export const names = machines.map(({ deb }) => deb);

/** By any of its names; undefined if there are no packages for it. */
export function machineOf(name) {
  return machines.find((machine) => [machine.deb, machine.rpm, machine.node].includes(name));
}

/** That which this program runs on; undefined if there are no packages for it. */
export const thisMachine = machineOf(arch);

export function compilerFor(machine) {
  return machine === thisMachine ? (process.env.CC ?? "cc") : `${machine.triplet}-gcc`;
}

/** The Debian packages with the compiler for another kind of machine, and with the C library for it. */
export function crossPackages({ deb, triplet }) {
  return { compiler: `gcc-${triplet.replace("_", "-")}`, library: `libc6-dev-${deb}-cross` };
}

export function stripFor(machine) {
  if (machine === thisMachine) return { program: "strip", debianPackage: "binutils" };
  const { triplet } = machine;
  return { program: `${triplet}-strip`, debianPackage: `binutils-${triplet.replace("_", "-")}` };
}
