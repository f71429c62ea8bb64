/** The mptcpd that runs in this network namespace, as other processes find it. */
import { readFileSync } from "node:fs";
import {
  currentNamespace,
  type NamespaceIdentity,
  namespaceFile,
  runtimeDirectoryFor,
} from "../../control/endpoints/namespace.ts";
import { lockHolder } from "../../kernel/file-lock.ts";
import type { Settings } from "./options.ts";

/** The runtime directory that was asked for, by option or by systemd, or else that of the mptcpd of this namespace. */
export function runtimeDirectoryOf(
  { runtimeDir }: Pick<Settings, "runtimeDir">,
  namespace: NamespaceIdentity,
  { RUNTIME_DIRECTORY: given }: Readonly<Record<string, string | undefined>> = process.env,
): string {
  return runtimeDir === USUAL && !given ? runtimeDirectoryFor(namespace) : runtimeDir;
}

const USUAL = "/run/mptcpd";

/** Who a process is when it opens files. */
export interface Credentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/** The mptcpd that holds the lock of this network namespace; undefined: none does, or that cannot be seen. */
export function runningDaemon(settings: Pick<Settings, "runtimeDir">): Credentials | undefined {
  try {
    const namespace = currentNamespace();
    const file = namespaceFile(runtimeDirectoryOf(settings, namespace), namespace, "lock");
    const pid = lockHolder(file);
    return pid === undefined ? undefined : credentialsOf(pid);
  } catch {
    return undefined;
  }
}

/** Those for the file system (proc_pid_status(5)). Throws where they cannot be read. */
function credentialsOf(pid: number): Credentials {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const numbers = (name: string): number[] => {
    const [, row = ""] = new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status) ?? [];
    return row.split(/\s+/).filter(Boolean).map(Number);
  };
  const [uid, gid] = [numbers("Uid").at(FILE_SYSTEM), numbers("Gid").at(FILE_SYSTEM)];
  if (uid === undefined || gid === undefined) throw new Error(`/proc/${pid}/status has no Uid or Gid`);
  return { pid, uid, gid, groups: numbers("Groups") };
}

/** Of real, effective, saved, and that for the file system. */
const FILE_SYSTEM = 3;
