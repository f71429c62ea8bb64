/** What tools/system-downloads.mjs got from Debian: the sandbox of the tests has no way to the network. */
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const cache = join(homedir(), ".cache/mptcpd-tests");
const packages = join(cache, "packages");

/** A system whose systemd and Go are newer than those of Debian 12. */
export const newerSystem = join(cache, "trixie");

/** A Go whose programs obey GODEBUG=multipathtcp=1 (1.21 or newer). */
export const newerGo = join(newerSystem, "usr/bin/go");

/** A directory with the packages of NetworkManager, and of what it needs beyond what this machine has. */
export const networkManager = join(cache, "network-manager");

export const networkManagerProblem = problemWith(networkManager);
export const newerSystemProblem = problemWith(newerSystem);
export const newerGoProblem = problemWith(newerGo);

/** The path of a package file. */
export function downloadedPackage(name: string): string {
  const problem = packageProblem(name);
  if (problem) throw new Error(problem);
  return join(packages, fileOf(name) ?? "");
}

export function packageProblem(name: string): string | false {
  return fileOf(name) === undefined && lacking(join(packages, name));
}

function problemWith(path: string): string | false {
  return !existsSync(path) && lacking(path);
}

function fileOf(name: string): string | undefined {
  return existsSync(packages) ? readdirSync(packages).find((file) => file.startsWith(`${name}_`)) : undefined;
}

function lacking(path: string): string {
  return `needs ${path} (tools/system-downloads.mjs gets it)`;
}
