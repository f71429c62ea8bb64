// The packages that tests install: in out/tests/, both flavours, made once for all of them, before their sandbox cuts
// off the network; for all kinds of machines if the compilers are there. Compressed little, which takes seconds instead
// of minutes.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, sourceDate } from "./package/files.mjs";
import { machineOf, names, thisMachine } from "./package/machines.mjs";
import { installLine, missingForPackages } from "./package/prerequisites.mjs";

const output = join(root, "out/tests");
// Says how they were built, for who wants to build them again.
const stamp = join(output, "environment.json");
const environment = { MPTCPD_PACKAGE_COMPRESSION: "1", SOURCE_DATE_EPOCH: String(sourceDate) };
const sources = [
  ...["bin", "docs", "man", "native", "packaging", "src", "tools"],
  ...["CHANGELOG.md", "LICENSE", "README.md", "package.json", "package-lock.json"],
];

/** Says why where it cannot. */
export function buildPackagesForTests() {
  if (isCurrent()) return;
  console.log("building the packages");
  try {
    rmSync(output, { recursive: true, force: true });
    const architecture = architectures();
    for (const flavour of [[], ["--nodejs"]]) build(["--arch", architecture, ...flavour]);
    writeFileSync(stamp, JSON.stringify({ environment, architecture }));
  } catch (error) {
    const cause = (error.stderr?.toString() || error.message).trim().split("\n").at(-1);
    console.log(`cannot build the packages (${cause}); tests that need them are skipped`);
  }
}

function architectures() {
  const missing = missingForPackages({ kinds: ["deb", "rpm", "npm"], machines: names.map(machineOf) });
  if (missing.length === 0) return "all";
  console.log(`packages are built for this kind of machine only (for the others: ${installLine(missing)})`);
  return thisMachine?.deb ?? "all";
}

function build(options) {
  execFileSync(process.execPath, [join(root, "tools/package.mjs"), "--output", output, ...options], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "ignore", "pipe"],
  });
}

function isCurrent() {
  if (!existsSync(stamp)) return false;
  const built = statSync(stamp).mtimeMs;
  return sources.every((name) => newest(join(root, name)) < built);
}

function newest(path) {
  if (!existsSync(path)) return 0;
  const status = statSync(path);
  if (!status.isDirectory()) return status.mtimeMs;
  return Math.max(status.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}
