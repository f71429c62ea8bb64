import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export type Requirements = {
  /** Root of the machine; being root of a user namespace does not do. */
  root?: boolean;
  /** Programs that must be in the PATH. */
  tools?: readonly string[];
};

/** Set up by tools/sandbox.mjs, and by nothing else: where it exists, the network around is ours to change. */
export const labDirectory = "/run/mptcpd-lab";

/**
 * For node:test's `skip`: false where a test can run here, or else the reason why it cannot. A test that uses the
 * lab needs a sandbox and kernel MPTCP, so both are always asked for.
 */
export function requires({ root = false, tools = [] }: Requirements = {}): string | false {
  if (!existsSync(labDirectory)) return "needs private namespaces (tools/sandbox.mjs makes them)";
  if (!existsSync("/proc/sys/net/mptcp/enabled")) return "needs a kernel with MPTCP (CONFIG_MPTCP)";
  if (root && !isRoot()) return "needs root";
  const missing = tools.filter((tool) => !isInstalled(tool));
  return missing.length > 0 && `needs ${missing.join(", ")}`;
}

function isRoot(): boolean {
  return (
    process.getuid?.() === 0 && /^\s*0\s+0\s+4294967295$/m.test(readFileSync("/proc/self/uid_map", "utf8"))
  );
}

function isInstalled(tool: string): boolean {
  const { PATH = "" } = process.env;
  return PATH.split(":").some((directory) => isExecutable(join(directory, tool)));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
