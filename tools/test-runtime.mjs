// What tests run on and see: a Node, and an environment that is the same on every machine.
import { copyFileSync, existsSync, mkdirSync, statSync, symlinkSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { thisMachine } from "./package/machines.mjs";
import { nodeRuntime } from "./package/node-runtime.mjs";
import { runTool } from "./package/tool.mjs";
import { inMountNamespace } from "./sandbox.mjs";

/**
 * Puts a Node into an empty directory, from where every user may run it.
 * @param wanted "packaged" for the Node that the packages bring, a path of another, or undefined for the running one
 * @returns its path, which is the first `node` of a PATH that begins with the directory
 * @throws Error that says why there is no such Node
 */
export function putNode(wanted, directory) {
  mkdirSync(directory, { mode: 0o755 });
  const node = join(directory, "node");
  // A user's programs may lie where other users cannot look, but the distribution's Node may need libraries beside it.
  if (wanted === undefined) symlinkSync(process.execPath, node);
  else copyFileSync(wanted === "packaged" ? packagedNode() : existing(wanted), node);
  return node;
}

/**
 * The command line that runs a command with the Node of `putNode` in huge pages. Most of the time of the tests goes
 * into starting Node, whose program is a hundred megabytes; huge pages save a fifth of it. Without them the command
 * runs, too.
 */
export function withNodeInHugePages(command, node) {
  // A small program is only the beginning of Node: the rest may have to lie beside it.
  if (statSync(node).size < 32 << 20) return command;
  const script = `
    exec 3<"$0/node"
    if mount -t tmpfs -o huge=always,mode=755 node "$0" 2>/dev/null; then cat <&3 >"$0/node" && chmod 755 "$0/node"; fi || exit
    exec 3<&-
    exec "$@"`;
  return inMountNamespace(["sh", "-c", script, dirname(node), ...command]);
}

function packagedNode() {
  if (thisMachine === undefined) throw new Error("the packages bring no Node for this kind of machine");
  return nodeRuntime(thisMachine).binary;
}

function existing(path) {
  if (!existsSync(path)) throw new Error(`--node ${path}: there is no such file`);
  return path;
}

export function versionOf(node) {
  return runTool(node, ["--version"], "nodejs", { encoding: "utf8" }).trim();
}

/** Variables of the user that have a meaning for tests; each other one may only change what they see. */
const kept = [
  ...["PATH", "HOME", "USER", "LOGNAME", "SHELL", "CI", "CC"],
  ...["MPTCPD_TEST_SEED", "MPTCPD_TEST_SLOWNESS", "MPTCPD_TEST_CAMPAIGN"],
];

/**
 * The environment of all tests. A service manager, a runner of CI or a shell may have set NOTIFY_SOCKET, TMPDIR, a
 * locale, FORCE_COLOR, GODEBUG or a proxy; a test that needs one sets it itself.
 * @param nodeDirectory where the chosen `node` is
 */
export function environmentOfTests(nodeDirectory, environment = process.env) {
  const own = Object.fromEntries(
    kept.filter((name) => environment[name] !== undefined).map((name) => [name, environment[name]]),
  );
  return {
    ...own,
    PATH: [nodeDirectory, ...programDirectories(environment)].join(":"),
    // Node's pipes are sockets. A bash with a socket as standard input and no shell above it reads ~/.bashrc, as if
    // sshd had started it.
    SHLVL: "1",
    ...{ LANG: "C.UTF-8", TZ: "UTC", TERM: "xterm-256color" },
  };
}

/** Without those below the user's home: what stands for a program there (pyenv, asdf) starts several shells first. */
function programDirectories({ PATH = "", HOME }) {
  const ofMachine = PATH.split(":").filter((directory) => HOME === undefined || !isBelow(directory, HOME));
  // npm is beside Node, wherever that is.
  return [...ofMachine, dirname(process.execPath)];
}

function isBelow(path, directory) {
  return `${resolve(path)}/`.startsWith(`${directory}/`);
}
