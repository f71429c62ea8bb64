// What tests need from Debian, which they cannot get from within their sandbox:
//   trixie/      a system whose systemd knows SocketProtocol=mptcp (257 and newer), with a Go that knows MPTCP (1.21)
//   packages/    the C mptcpd and mptcpize with their libraries, and the package that nginx's unit comes with
//   network-manager/    NetworkManager, and what it needs beyond what this machine has
// All of it in ~/.cache/mptcpd-tests; what is there is not downloaded again. Tests that lack theirs are skipped.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const cache = join(homedir(), ".cache/mptcpd-tests");
const mirror = "http://deb.debian.org/debian";
/** The packages of the C programs, with the libraries that nothing else needs. */
const upstream = ["mptcpd", "mptcpd-plugins", "libmptcpd3", "libell0", "mptcpize", "libmptcpwrap0"];

/** Gets what is missing. Says why where it cannot. */
export function fetchForSystemTests() {
  attempt("a system with a newer systemd and Go", fetchTree);
  attempt("packages of Debian", fetchPackages);
  attempt("NetworkManager", fetchNetworkManager);
}

/** Mirrors fail now and then; who is not the CI can do without them. */
const pausesSeconds = process.env.CI === "true" ? [5, 20] : [];

function attempt(what, fetch, pauses = pausesSeconds) {
  try {
    fetch();
  } catch (error) {
    const cause = (error.stderr?.toString() || error.message).trim().split("\n").at(-1);
    const [pause, ...more] = pauses;
    if (pause === undefined) {
      console.log(`cannot get ${what} (${cause}); tests that need it are skipped`);
      return;
    }
    console.log(`cannot get ${what} yet (${cause})`);
    execFileSync("sleep", [`${pause}`]);
    attempt(what, fetch, more);
  }
}

/** The directory of the packages that the C programs are in, among others. Throws where it cannot get them. */
export function packagesOfC() {
  const directory = join(cache, "packages");
  mkdirSync(directory, { recursive: true });
  download(upstream, directory);
  return directory;
}

function fetchTree() {
  const tree = join(cache, "trixie");
  // The last thing that was added to the list of packages.
  if (existsSync(join(tree, "usr/bin/go"))) return;
  console.log("downloading a system with a newer systemd and Go");
  wholeOrNot(tree, (unfinished) => {
    const options = ["--variant=minbase", "--include=systemd,systemd-sysv,dbus,iproute2,golang-go"];
    execFileSync("debootstrap", [...options, "trixie", unfinished, mirror], { stdio: "pipe" });
    rmSync(tree, { recursive: true, force: true });
  });
}

/** Makes a directory by a name that no other run of the tests has, and then gives it its own: they may do the same. */
function wholeOrNot(directory, make) {
  mkdirSync(cache, { recursive: true });
  const unfinished = `${directory}.${process.pid}`;
  try {
    make(unfinished);
    renameSync(unfinished, directory);
  } catch (error) {
    if (error.code !== "ENOTEMPTY") throw error;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

function fetchPackages() {
  const directory = join(cache, "packages");
  mkdirSync(directory, { recursive: true });
  // The version that is installed, which a test installs once more.
  const nginx = `nginx-common=${installedVersion("nginx-common")}`;
  download([...upstream, nginx], directory);
}

function download(names, directory) {
  const missing = names.filter((name) => !isThere(directory, name));
  if (missing.length > 0) apt(["download", ...missing], directory);
}

/** They are unpacked in the booted system; nothing of this machine is changed. */
function fetchNetworkManager() {
  const directory = join(cache, "network-manager");
  if (existsSync(directory)) return;
  wholeOrNot(directory, (unfinished) => {
    mkdirSync(join(unfinished, "partial"), { recursive: true });
    const options = [
      "--no-install-recommends",
      "--download-only",
      "-o",
      `Dir::Cache::archives=${unfinished}`,
    ];
    apt(["install", ...options, "network-manager"], unfinished);
  });
}

function apt(args, directory) {
  const options = ["-qq", "-o", "APT::Sandbox::User=root", "-o", "DPkg::Lock::Timeout=300"];
  const download = () => execFileSync("apt-get", [...options, ...args], { cwd: directory, stdio: "pipe" });
  try {
    download();
  } catch {
    // apt knows packages only after an update, which a fresh container has not had.
    execFileSync("apt-get", [...options, "update"], { stdio: "pipe" });
    download();
  }
}

function isThere(directory, wanted) {
  const [name, version] = wanted.split("=");
  const start = version === undefined ? `${name}_` : `${name}_${version.replaceAll(":", "%3a")}_`;
  return readdirSync(directory).some((file) => file.startsWith(start));
}

function installedVersion(name) {
  const [, version] = execFileSync("dpkg-query", ["--show", name], { encoding: "utf8", stdio: "pipe" }).split(
    "\t",
  );
  return version.trim();
}
