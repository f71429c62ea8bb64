// Files of packages: the same owner, modes and times whoever builds them, and whenever.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";

export const root = dirname(dirname(import.meta.dirname));

/** Seconds since 1970: SOURCE_DATE_EPOCH, else the time of the last commit, else a day that is the same every time. */
export const sourceDate = Number(process.env.SOURCE_DATE_EPOCH || dateOfCommit());

function dateOfCommit() {
  try {
    const options = { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] };
    return execFileSync("git", ["log", "-1", "--format=%ct"], options).trim();
  } catch {
    return "1767225600";
  }
}

/** Writes a file with the directories above it. */
export function put(path, content, mode = 0o644) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  chmodSync(path, mode);
}

export function link(path, target) {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path);
}

/** As `gzip -9n` does it: with neither name nor time. */
export function compressed(content) {
  return gzipSync(content, { level: 9 });
}

/** How hard the compressors of packages try. Who only looks at what is inside need not wait for the last percents. */
export function compression(usual) {
  return process.env.MPTCPD_PACKAGE_COMPRESSION || String(usual);
}

/** All that is in a directory, itself excepted, as paths below it. */
export function walk(directory) {
  return readdirSync(directory, { recursive: true }).sort();
}

export function isFile(path) {
  return lstatSync(path).isFile();
}

/** Gives directories the usual mode, and everything the time of the sources. */
export function settle(directory) {
  for (const name of ["", ...walk(directory)].reverse()) {
    const path = join(directory, name);
    if (lstatSync(path).isDirectory()) chmodSync(path, 0o755);
    lutimesSync(path, sourceDate, sourceDate);
  }
}

/** Bytes of its files. */
export function sizeOf(directory) {
  const sizes = walk(directory).map((name) => lstatSync(join(directory, name)));
  return sizes.filter((status) => status.isFile()).reduce((sum, { size }) => sum + size, 0);
}
