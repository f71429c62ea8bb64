// What making packages takes beside Node, with the Debian packages that have it.
import { existsSync } from "node:fs";
import { isInstalled, missingDebianPackages } from "../setup.mjs";
import { compilerFor, crossPackages, stripFor, thisMachine } from "./machines.mjs";

/**
 * The Debian packages that lack on this machine; empty if everything is there.
 * @param kinds "deb", "rpm", "npm" @param machines those to make packages for
 */
export function missingForPackages({ kinds, machines }) {
  const isFor = (...some) => kinds.some((kind) => some.includes(kind));
  const wanted = [
    ...machines.flatMap(toolsFor),
    ["tar", "tar"],
    ...(isFor("deb", "rpm") ? [["scdoc", "scdoc"]] : []),
    ...(isFor("deb") ? [["dpkg-deb", "dpkg"]] : []),
    ...(isFor("deb") ? [["readelf", "binutils"]] : []),
    ...(isFor("rpm") ? [["rpmbuild", "rpm"]] : []),
    ...(isFor("rpm") ? [["checkmodule", "checkpolicy"]] : []),
    ...(isFor("rpm") ? [["semodule_package", "semodule-utils"]] : []),
  ];
  const missing = wanted.filter(([tool]) => !isThere(tool)).map(([, debianPackage]) => debianPackage);
  return [...new Set([...missingDebianPackages(), ...missing])].sort();
}

/** The line that installs them. */
export function installLine(packages) {
  return `apt-get install ${packages.join(" ")}`;
}

function toolsFor(machine) {
  const { program, debianPackage } = stripFor(machine);
  const strip = [program, debianPackage];
  if (machine === thisMachine) return [strip];
  const { compiler, library } = crossPackages(machine);
  return [[compilerFor(machine), compiler], [`/usr/${machine.triplet}/include/stdlib.h`, library], strip];
}

function isThere(tool) {
  return tool.startsWith("/") ? existsSync(tool) : isInstalled(tool);
}
