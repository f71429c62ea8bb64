// Kernels of Debian, downloaded by apt with an own configuration (nothing is installed) and unpacked into
// ~/.cache/mptcpd-tests/kernels/VERSION. What is there is not downloaded again; without a network it is enough.
import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** The kernels that tests run under, and the suites of Debian that have them; of several, the newest kernel counts. */
export const wantedKernels = [
  { name: "6.1", suites: ["bookworm"] },
  { name: "6.12", suites: ["trixie"] },
  { name: "newest", suites: ["trixie-backports", "sid"] },
];

// Made for virtual machines: small, and with the drivers that those need.
const metapackage = "linux-image-cloud-amd64";
const mirror = "http://deb.debian.org/debian";
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
const cache = join(homedir(), ".cache/mptcpd-tests");
const listsMaxAgeMs = 24 * 60 * 60 * 1000;

/** { name, version, directory }: of each wanted kernel, the directory that its packages are unpacked in. */
export function fetchKernels(wanted) {
  const apt = openApt();
  return wanted.map(({ name, suites }) => {
    const { version, packages } = findPackages(apt, suites);
    const directory = join(cache, "kernels", version);
    if (!existsSync(directory)) download(apt, packages, version, directory);
    return { name, version, directory };
  });
}

/** The file that QEMU boots. */
export function imageOf({ version, directory }) {
  const candidates = [
    join(directory, "boot", `vmlinuz-${version}`),
    join(modulesOf({ version, directory }), "vmlinuz"),
  ];
  return candidates.find(existsSync) ?? candidates[0];
}

export function modulesOf({ version, directory }) {
  return join(directory, "lib/modules", version);
}

/** Runs programs of apt with lists of their own. */
function openApt() {
  const root = join(cache, "apt");
  for (const path of ["lists/partial", "cache/archives/partial"])
    mkdirSync(join(root, path), { recursive: true });
  const suites = wantedKernels.flatMap((kernel) => kernel.suites);
  const sources = suites.map((suite) => `deb [arch=amd64 signed-by=${keyring}] ${mirror} ${suite} main\n`);
  writeFileSync(join(root, "sources.list"), sources.join(""));
  const settings = {
    "Dir::Etc::sourcelist": join(root, "sources.list"),
    "Dir::Etc::sourceparts": "-",
    "Dir::State::lists": join(root, "lists"),
    "Dir::State::status": "/dev/null",
    "Dir::Cache": join(root, "cache"),
    "APT::Architecture": "amd64",
    "APT::Sandbox::User": "root",
  };
  const configuration = join(root, "apt.conf");
  writeFileSync(
    configuration,
    Object.entries(settings)
      .map(([name, value]) => `${name} "${value}";\n`)
      .join(""),
  );
  const env = { ...process.env, APT_CONFIG: configuration };
  const apt = (command, args, options = {}) =>
    execFileSync(command, args, { env, encoding: "utf8", ...options });
  refresh(join(root, "lists"), env);
  return apt;
}

function refresh(lists, env) {
  const isList = (name) => name.endsWith("_Packages") || name.endsWith("_InRelease");
  const ages = readdirSync(lists)
    .filter(isList)
    .map((name) => Date.now() - statSync(join(lists, name)).ctimeMs);
  if (ages.length > 0 && Math.max(...ages) < listsMaxAgeMs) return;
  const { status, stderr } = spawnSync("apt-get", ["-qq", "update"], { env, encoding: "utf8" });
  if (status === 0) return;
  if (ages.length === 0) throw new Error(`cannot get the lists of ${mirror}: ${stderr.trim()}`);
  console.log(`no newer lists from ${mirror}; those of before are used`);
}

function findPackages(apt, suites) {
  // "linux-image-cloud-amd64 | 6.12.117-1 | http://deb.debian.org/debian trixie/main amd64 Packages"
  const rows = apt("apt-cache", ["madison", metapackage])
    .split("\n")
    .map((line) => line.split("|").map((column) => column.trim()))
    .filter(([, , source = ""]) => suites.some((suite) => source.includes(` ${suite}/`)));
  const release = rows.map(([, version]) => version).reduce(newer);
  const dependencies = apt("apt-cache", ["depends", `${metapackage}=${release}`]);
  const [, version] = dependencies.match(/Depends: linux-image-(\d\S*)/) ?? [];
  if (version === undefined) throw new Error(`${metapackage} ${release} depends on no kernel`);
  return { version, packages: packagesOf(apt, version) };
}

/** Since 6.19 the kernel, its modules and what describes them are packages of their own. */
function packagesOf(apt, version) {
  const split = ["base", "binary", "modules"].map((part) => `linux-${part}-${version}`);
  const known = apt("apt-cache", ["pkgnames", `linux-binary-${version}`]).trim();
  return known === "" ? [`linux-image-${version}`] : split;
}

function newer(a, b) {
  return spawnSync("dpkg", ["--compare-versions", a, "gt", b]).status === 0 ? a : b;
}

function download(apt, packages, version, directory) {
  console.log(`downloading ${packages.join(" and ")}`);
  mkdirSync(join(cache, "kernels"), { recursive: true });
  // Whoever is interrupted leaves no half of a kernel.
  const scratch = mkdtempSync(join(cache, "kernels", "new-"));
  try {
    apt("apt-get", ["-qq", "download", ...packages], { cwd: scratch });
    const tree = join(scratch, "tree");
    for (const name of readdirSync(scratch)) execFileSync("dpkg-deb", ["-x", join(scratch, name), tree]);
    // Packages of trixie and later have the modules in usr/lib; depmod looks in lib.
    if (!existsSync(join(tree, "lib"))) symlinkSync("usr/lib", join(tree, "lib"));
    execFileSync("depmod", ["-b", tree, version]);
    renameSync(tree, directory);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
