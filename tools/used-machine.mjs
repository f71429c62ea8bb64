// Runs a command on a machine as its users have it, rather than as a bare one of CI:
//   node tools/used-machine.mjs [--busy] COMMAND [ARGUMENT...]
// The C programs are installed and in use, guests sit behind a bridge, containers come and go, endpoints and limits are
// somebody's, and the environment has variables that change what programs do. --busy also keeps all processors busy.
// The machine itself is left alone: it is a copy, in private namespaces. As root.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { availableParallelism, homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { buildPackagesForTests } from "./packages-for-tests.mjs";
import { isRoot, runToEnd } from "./sandbox.mjs";
import { fail, root, setUp } from "./setup.mjs";
import { fetchForSystemTests, packagesOfC } from "./system-downloads.mjs";

/** EX_UNAVAILABLE of sysexits.h. */
const unavailable = 69;

const words = process.argv.slice(2);
const busy = words[0] === "--busy";
const command = busy ? words.slice(1) : words;
if (command.length === 0) fail("usage: node tools/used-machine.mjs [--busy] COMMAND [ARGUMENT...]");
if (!isRoot()) fail("a used machine takes root: it is a copy of this machine's files");

// The copy has no way to the network: what is downloaded or made with downloads comes first.
setUp();
fetchForSystemTests();
buildPackagesForTests();

// .ci/run does without in that case.
const problem = overlayProblem();
if (problem) fail(`a used machine needs overlay mounts, which are refused here: ${problem}`, unavailable);

const scratch = mkdtempSync(join(tmpdir(), "mptcpd-used-"));
try {
  process.exitCode = await runToEnd(commandLine(), { env: { ...process.env, ...environment() } });
} finally {
  rmdirSync(scratch);
}

/** Tests boot a system on a copy of the copy, and the kernel stacks two overlays at most: / must not be one. */
function overlayProblem() {
  const script = `
    mount -t tmpfs probe /mnt
    cd /mnt
    mkdir a b c d e f
    mount -t overlay -o lowerdir=/,upperdir=a,workdir=b probe c
    mount -t overlay -o lowerdir=c,upperdir=d,workdir=e probe f`;
  const args = ["--mount", "--propagation", "private", "sh", "-ec", script];
  const { status, stderr } = spawnSync("unshare", args, { encoding: "utf8" });
  return status !== 0 && stderr.trim().split("\n").at(-1);
}

function commandLine() {
  const directories = [root, join(homedir(), ".cache")];
  const script = join(root, "tools/used-machine.sh");
  const load = busy ? availableParallelism() : 0;
  return [
    ...["setpriv", "--pdeathsig", "KILL"],
    ...["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child"],
    ...["--mount-proc", "--propagation", "private"],
    ...["sh", script, scratch, packagesOfC(), String(load), ...directories, "--", ...command],
  ];
}

/** What a user's shell, a service of systemd's or a runner of CI may have set. */
function environment() {
  return {
    ...{ LC_ALL: "C", TZ: "Asia/Kolkata", TERM: "dumb", COLUMNS: "40", FORCE_COLOR: "1", MANWIDTH: "40" },
    ...{ NODE_PENDING_DEPRECATION: "1", NODE_NO_WARNINGS: "0", PYTHONDONTWRITEBYTECODE: "1" },
    ...{ SYSTEMD_LOG_LEVEL: "debug", SYSTEMD_COLORS: "1", SYSTEMD_PAGER: "more" },
    ...{ NOTIFY_SOCKET: "/run/runner/notify", JOURNAL_STREAM: "8:1", WATCHDOG_USEC: "1000000" },
    ...{ RUNTIME_DIRECTORY: "/run/runner", STATE_DIRECTORY: "/var/lib/runner", INVOCATION_ID: "0" },
    ...{ GODEBUG: "multipathtcp=0", http_proxy: "http://192.0.2.1:3128", CDPATH: "/usr:/etc" },
    ...{
      TMPDIR:
        "/run/user/with/a/name/that/is/too/long/for/the/address/of/a/socket/of/this/machine/below/it/all",
    },
    ...{ MPTCPD_NODE: "/nonexistent/node", MPTCPIZE_LAUNCHER: "/nonexistent/mptcpize" },
  };
}
