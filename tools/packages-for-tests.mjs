// The packages that tests install: in out/, both flavours, made once for all of them, before their sandbox cuts off the
// network. Compressed little, which takes seconds instead of minutes; those of `npm run package` do as well.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const stamp = join(root, "out/.tests");
const sources = ["bin", "man", "native", "packaging", "src", "tools", "package.json", "package-lock.json"];

/** Says why where it cannot. */
export function buildPackagesForTests() {
  if (isCurrent()) return;
  console.log("building the packages");
  try {
    mkdirSync(join(root, "out"), { recursive: true });
    for (const flavour of [[], ["--nodejs"]]) build(flavour);
    writeFileSync(stamp, "");
  } catch (error) {
    const cause = (error.stderr?.toString() || error.message).trim().split("\n").at(-1);
    console.log(`cannot build the packages (${cause}); tests that need them are skipped`);
  }
}

function build(options) {
  const env = { MPTCPD_PACKAGE_COMPRESSION: "1", ...process.env };
  const stdio = ["ignore", "ignore", "pipe"];
  execFileSync(process.execPath, [join(root, "tools/package.mjs"), ...options], { env, stdio });
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
