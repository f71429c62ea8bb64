/** The packages that tools/packages-for-tests.mjs has built. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "../../src/lab/kit/checkout.ts";

const manifest: { version: string } = JSON.parse(readFileSync(join(checkout, "package.json"), "utf8"));

/** That of package.json. */
export const { version } = manifest;

export const output = join(checkout, "out/tests");

export type Flavour = "node" | "nodejs";

/** @param flavour whether it brings Node, or depends on the distribution's */
export function debFile(architecture: "amd64" | "arm64", flavour: Flavour = "node"): string {
  return join(output, `mptcpd_${version}-1${flavour === "nodejs" ? "+nodejs" : ""}_${architecture}.deb`);
}

export function rpmFile(architecture: "x86_64" | "aarch64", flavour: Flavour = "node"): string {
  return join(output, `mptcpd-${version}-1${flavour === "nodejs" ? ".nodejs" : ""}.${architecture}.rpm`);
}

/** `mptcpd`, or `mptcpd-linux-x64` and the like. */
export function npmFile(name: string): string {
  return join(output, `${name}-${version}.tgz`);
}

/** The architecture of this machine, by Debian's name. */
export const debArchitecture = process.arch === "arm64" ? "arm64" : "amd64";
export const rpmArchitecture = process.arch === "arm64" ? "aarch64" : "x86_64";

/** Says with which variables they were built. */
export const environmentFile = join(output, "environment.json");

/** For node:test's `skip`. @param files those that a test needs beside the ones for this kind of machine */
export function packagesProblem(...files: readonly string[]): string | false {
  if (!existsSync(environmentFile)) return "needs packages (tools/packages-for-tests.mjs builds them)";
  const missing = files.filter((file) => !existsSync(file));
  return missing.length > 0 && `needs packages for another kind of machine (${missing.join(", ")})`;
}
