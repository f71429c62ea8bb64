// Runs a command in private namespaces, where tests and the tour may do with the network as they please:
//   node tools/sandbox.mjs COMMAND [ARGUMENT...]
// The host's network is out of reach in there, and everything made in there (processes, network namespaces,
// files under /run) is gone when the command ends, however it ends. Works as root and as a user.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, realpathSync } from "node:fs";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

// Without a user namespace root keeps what only the initial one grants, such as SO_RCVBUFFORCE.
const unshareMounts = [
  "unshare",
  ...(isRoot() ? [] : ["--user", "--map-root-user"]),
  ...["--mount", "--propagation", "private"],
];
const unshare = [...unshareMounts, "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];

// iproute2 keeps the names of network namespaces in /run/netns; /run/mptcpd-lab tells the lab where it is. The host's
// own configuration and path managers are covered. The shell stays, as the first process there: while it waits for the
// command it reaps whatever lost its parent.
const prepare = `
  mount -t tmpfs -o mode=755 lab /run && mkdir /run/netns /run/mptcpd-lab && ip link set lo up || exit
  for directory in /etc/mptcpd /usr/lib/mptcpd/plugins; do
    [ ! -d "$directory" ] || mount -t tmpfs -o mode=755 lab "$directory" || exit
  done
  "$@"
  exit $?`;

const graceMs = 2000;

/** Why this machine cannot make a sandbox, or undefined. */
export function sandboxProblem() {
  const [command, ...args] = sandboxed(["true"]);
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status === 0) return undefined;
  const cause = error?.message ?? stderr.trim().split("\n").at(-1);
  return `private namespaces are refused here (${cause}): run as root, or allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)`;
}

/** The command line that runs `command` in a sandbox. */
export function sandboxed(command) {
  // The death signal ends the sandbox even when this process is killed without a chance to tidy up.
  return ["setpriv", "--pdeathsig", "KILL", ...unshare, "sh", "-c", prepare, "sandbox", ...command];
}

/** The command line that runs `command` where it may mount what no other process sees. */
export function inMountNamespace(command) {
  return [...unshareMounts, ...command];
}

/**
 * A shell script that starts a program with the script's arguments, in a sandbox of its own, which ends with whoever
 * runs the script. SIGTERM, with which node:test ends a file that takes too long, ends all that is in there, too:
 * unshare(1) itself ignores it.
 */
export function sandboxScript(command) {
  const start = `${sandboxed(command).map(quoted).join(" ")} "$@" <&0 & trap 'kill -KILL $!' TERM; wait $!`;
  return `#!/bin/sh\nexec setpriv --pdeathsig KILL sh -c ${quoted(start)} start-file "$@"\n`;
}

function quoted(word) {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** Runs a command line with this process' terminal; gives its exit code, 128 + N for signal N. */
export function runToEnd([command, ...args], { env = process.env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: "inherit", env });
    // The terminal sends ^C to the child too, which may tidy up first; whatever else ends us, ends it at once.
    const kill = () => child.kill("SIGKILL");
    const interrupt = () => setTimeout(kill, graceMs).unref();
    process.on("SIGINT", interrupt).on("SIGTERM", kill).on("SIGHUP", kill);
    child.on("error", reject);
    child.on("close", (code, signal) => {
      process.off("SIGINT", interrupt).off("SIGTERM", kill).off("SIGHUP", kill);
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}

/** Root of the machine, not of a user namespace. */
export function isRoot() {
  return (
    process.getuid() === 0 && /^\s*0\s+0\s+4294967295$/m.test(readFileSync("/proc/self/uid_map", "utf8"))
  );
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = await runToEnd(sandboxed(process.argv.slice(2)));
}
