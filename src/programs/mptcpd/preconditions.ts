import { systemClock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log/log.ts";
import { DaemonLock } from "../../control/endpoints/daemon-lock.ts";
import type { LockHolder, NamespaceIdentity } from "../../control/endpoints/namespace.ts";
import type { MptcpPm } from "../../kernel/mptcp-pm.ts";
import { KernelError } from "../../kernel/netlink/errors.ts";
import type { Sysctls } from "../../kernel/sysctl.ts";
import { StartError } from "./exit.ts";

/** The kernel has MPTCP and it is switched on. Throws StartError. */
export function requireMptcp(sysctls: Sysctls): void {
  if (!sysctls.hasMptcp) {
    throw new StartError(
      "this kernel has no MPTCP (no sysctl net.mptcp.enabled): use one with CONFIG_MPTCP=y",
    );
  }
  if (!sysctls.mptcp("enabled")) {
    throw new StartError(
      "MPTCP is switched off in this network namespace: run `sysctl -w net.mptcp.enabled=1`",
    );
  }
}

/** We may change endpoints. Tests this with a request that the kernel always refuses; throws StartError. */
export async function requirePermission(pm: MptcpPm): Promise<void> {
  try {
    // Id 0 needs an address, but the kernel checks the permission before that.
    await pm.deleteEndpoint({ id: 0 });
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    if (error.code !== "EPERM") return;
    throw new StartError("changing endpoints needs CAP_NET_ADMIN: run mptcpd as root");
  }
}

export interface LockOptions {
  readonly runtimeDirectory: string;
  readonly log: Logger;
  readonly signal?: AbortSignal | undefined;
  readonly onRetaken?: () => void;
  readonly onLost?: (holder: LockHolder) => void;
}

/**
 * No other mptcpd serves the namespace. If the runtime directory cannot be written for now, only warns. Throws
 * StartError; rejects with the signal's reason.
 */
export async function requireLock(
  { runtimeDirectory: directory, ...options }: LockOptions,
  namespace: NamespaceIdentity,
): Promise<DaemonLock> {
  const { signal } = options;
  let lock: DaemonLock | LockHolder;
  try {
    lock = await DaemonLock.take({ ...options, directory, namespace, clock: systemClock });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new StartError(
      `cannot use the runtime directory ${directory} (${messageOf(error)}): give another with --runtime-dir`,
    );
  }
  if (lock instanceof DaemonLock) return lock;
  throw new StartError(`${describeHolder(lock)} serves this network namespace already: stop it first`);
}

function describeHolder({ holder }: LockHolder): string {
  return holder === undefined ? "another mptcpd" : `mptcpd with pid ${holder}`;
}

/** All programs find the mptcpd that has the lock, and none would find this one: so this one ends. */
export function lostTo(holder: LockHolder): string {
  return (
    `${describeHolder(holder)} serves this network namespace now, because the lock was gone from the runtime ` +
    "directory: this mptcpd ends and leaves its endpoints as they are; `mptcpctl adopt --all` gives them to the other"
  );
}
