import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";

export type Requirements = {
  /** Root of the machine; being root of a user namespace does not do. */
  root?: boolean;
  /** Programs that must be in the PATH. */
  tools?: readonly string[];
  /** Files that must be readable and writable, such as /dev/net/tun. */
  files?: readonly string[];
  /** Kinds of links that the kernel must be able to make, in the words of `ip link add type`: "vrf table 100". */
  links?: readonly string[];
  /** The same for those that lie on top of another link: "vlan id 5". */
  uppers?: readonly string[];
};

/** Set up by tools/sandbox.mjs, and by nothing else: where it exists, the network around is ours to change. */
export const labDirectory = "/run/mptcpd-lab";

/**
 * For node:test's `skip`: false where a test can run here, or else the reason why it cannot. A test that uses the
 * lab needs a sandbox and kernel MPTCP, so both are always asked for.
 */
export function requires({
  root = false,
  tools = [],
  files = [],
  links = [],
  uppers = [],
}: Requirements = {}): string | false {
  if (!existsSync(labDirectory)) return "needs private namespaces (tools/sandbox.mjs makes them)";
  if (!existsSync("/proc/sys/net/mptcp/enabled")) return "needs a kernel with MPTCP (CONFIG_MPTCP)";
  if (root && !isRoot()) return "needs root";
  const missing = tools.filter((tool) => !isInstalled(tool));
  if (missing.length > 0) return `needs ${missing.join(", ")}`;
  const refused = files.filter((file) => !isAccessible(file, constants.R_OK | constants.W_OK));
  if (refused.length > 0) return `needs permission to open ${refused.join(", ")}`;
  const unknown = [
    ...links.filter((link) => !canMake(["type", ...link.split(" ")])),
    ...uppers.filter((link) => !canMake(["link", "lo", "type", ...link.split(" ")])),
  ];
  return unknown.length > 0 && `needs a kernel with links of type ${unknown.join(", ")}`;
}

/** Only the kernel's own word that it does not know a type counts: a misspelt one would be skipped for ever. */
function canMake(words: readonly string[]): boolean {
  const { status, stderr } = spawnSync("unshare", ["--net", "ip", "link", "add", "name", "probe", ...words], {
    encoding: "utf8",
  });
  if (status === 0) return true;
  if (/Unknown device type|Operation not supported/.test(stderr)) return false;
  // It knows the type, and refuses it on the loopback.
  if (words[0] === "link" && /Invalid argument|No such device|VLAN/.test(stderr)) return true;
  throw new Error(`cannot tell whether the kernel has links of type ${words.join(" ")}: ${stderr.trim()}`);
}

function isRoot(): boolean {
  return (
    process.getuid?.() === 0 && /^\s*0\s+0\s+4294967295$/m.test(readFileSync("/proc/self/uid_map", "utf8"))
  );
}

function isInstalled(tool: string): boolean {
  const { PATH = "" } = process.env;
  if (isAbsolute(tool)) return isAccessible(tool, constants.X_OK);
  return PATH.split(":").some((directory) => isAccessible(join(directory, tool), constants.X_OK));
}

function isAccessible(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
