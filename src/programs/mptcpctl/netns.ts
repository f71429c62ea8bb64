import { statSync } from "node:fs";
import { programArguments } from "../../base/command-line/argument-bytes.ts";
import { codeOf, messageOf } from "../../base/errors.ts";
import { enterNetworkNamespaceAndExec, namespaceDirectory } from "../../kernel/network-namespace.ts";
import { CommandError, UsageError } from "./io/output.ts";

/**
 * Continues in another network namespace. setns(2) moves one thread and Node has many, so this function executes the
 * program again there, with the same arguments. The second time, the process is in the namespace, and the call returns.
 *
 * @param namespace a name that `ip netns` gave, or a path such as /proc/1234/ns/net
 */
export function enterNetworkNamespace(namespace: string): void {
  if (namespace === "") throw new UsageError("--netns is empty: give a name or a path, or leave it out");
  const path = namespace.includes("/") ? namespace : `${namespaceDirectory}/${namespace}`;
  try {
    if (isCurrent(path)) return;
    enterNetworkNamespaceAndExec(path, process.execPath, [
      process.execPath,
      ...process.execArgv,
      ...process.argv.slice(1, 2),
      ...programArguments(),
    ]);
  } catch (error) {
    throw new CommandError("ENETNS", `cannot enter network namespace ${namespace}: ${reason(error, path)}`);
  }
}

/** Two namespace files are the same namespace if device and inode are the same: namespaces(7). */
function isCurrent(path: string): boolean {
  const [wanted, current] = [statSync(path), statSync("/proc/self/ns/net")];
  return wanted.ino === current.ino && wanted.dev === current.dev;
}

function reason(error: unknown, path: string): string {
  const code = codeOf(error);
  if (code === "ENOENT") return `there is no ${path}; \`ip netns\` lists the names`;
  if (code === "EPERM" || code === "EACCES") return "not permitted; it takes CAP_SYS_ADMIN: run it as root";
  if (code === "EINVAL") return `${path} is not a network namespace`;
  return messageOf(error);
}
