// What a fresh clone needs before anything runs: tools of the system, npm packages, the build. Every step is skipped
// when it is done already. Written for old versions of Node too, so that they get a sentence and no stack trace.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { isBuilt } from "./built.mjs";
import { nodeHeaders } from "./node-headers.mjs";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Ends the program with one line where something is missing that it cannot install. */
export function setUp({ buildOptions = [] } = {}) {
  requireNode();
  requireTools();
  installPackages();
  if (!isBuilt(buildOptions)) run(process.execPath, [join(root, "tools/build.mjs"), ...buildOptions]);
}

/** Why tests and the tour cannot use MPTCP here, or undefined. */
export function mptcpProblem() {
  if (existsSync("/proc/sys/net/mptcp/enabled")) return undefined;
  return "this kernel has no Multipath TCP: it needs Linux 5.10 or newer, built with CONFIG_MPTCP=y (Debian 12's own has it)";
}

export function fail(message, status = 1) {
  console.error(message);
  process.exit(status);
}

function requireNode() {
  const { engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const wanted = engines.node.replace(">=", "");
  const [major, minor] = process.versions.node.split(".").map(Number);
  const [wantedMajor, wantedMinor] = wanted.split(".").map(Number);
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  fail(
    `Node ${process.versions.node} is too old: install Node ${wanted} or newer (https://nodejs.org/en/download)`,
  );
}

function requireTools() {
  const missing = missingDebianPackages();
  if (missing.length === 0) return;
  const advice = `apt install ${missing.join(" ")}`;
  if (process.getuid() !== 0 || !isInstalled("apt-get"))
    fail(`Some packages are missing; install them as root: ${advice}`);
  console.log(`installing ${missing.join(" ")}`);
  const install = ["install", "--yes", "--no-install-recommends", ...missing];
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  // Others, such as a machine's own updates, may be at it.
  const options = ["-qq", "-o", "DPkg::Lock::Timeout=300"];
  const apt = (args) =>
    spawnSync("apt-get", [...options, ...args], { env, stdio: ["ignore", "ignore", "inherit"] });
  if (apt(install).status !== 0 && (apt(["update"]).status !== 0 || apt(install).status !== 0)) {
    fail(`apt-get failed; what is missing: ${advice}`);
  }
}

/** Packages of Debian, of which a checkout needs something that is not there. */
export function missingDebianPackages() {
  completePath();
  const packages = {
    gcc: isInstalled(process.env.CC ?? "cc"),
    "libc6-dev": existsSync("/usr/include/stdlib.h") || compiles("#include <stdlib.h>"),
    "libnode-dev": nodeHeaders() !== undefined,
    iproute2: isInstalled("ip") && isInstalled("tc"),
    "util-linux": isInstalled("unshare") && isInstalled("nsenter") && isInstalled("setpriv"),
  };
  return Object.keys(packages).filter((name) => !packages[name]);
}

function compiles(source) {
  const { status } = spawnSync(process.env.CC ?? "cc", ["-x", "c", "-fsyntax-only", "-"], { input: source });
  return status === 0;
}

/** Programs of administration lie in /usr/sbin, which a user's PATH may lack: it is added for all that we start. */
function completePath() {
  const path = (process.env.PATH ?? "").split(":");
  const lacking = ["/usr/sbin", "/sbin"].filter((directory) => !path.includes(directory));
  process.env.PATH = [...path, ...lacking].join(":");
}

export function isInstalled(command) {
  const { PATH } = process.env;
  return PATH.split(":").some((directory) => existsSync(join(directory, command)));
}

function installPackages() {
  const installed = join(root, "node_modules/.package-lock.json");
  const isCurrent =
    existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(root, "package-lock.json")).mtimeMs;
  if (!isCurrent) run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
}

function run(command, args) {
  try {
    execFileSync(command, args, { cwd: root, stdio: "inherit" });
  } catch {
    // What it wrote says why.
    process.exit(1);
  }
}
