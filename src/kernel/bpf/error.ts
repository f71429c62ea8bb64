import { SystemError } from "../netlink/addon.ts";

/** The BPF way is closed on this machine, or for this process. The message is one line. */
export class BpfError extends Error {
  override readonly name = "BpfError";
  /**
   * "BTF" (none, or not readable), "KERNEL" (too old, or built without), "EPERM" (refused), "BPFFS" (not mounted),
   * "CGROUP" (no cgroup v2, or one that cannot be attached to), "MPTCP" (switched off), or the system's own.
   */
  readonly code: string;

  constructor(code: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** Of a system call that failed, what it means and what to look for; other errors as they are. */
export function explained(error: unknown): unknown {
  if (!(error instanceof SystemError)) return error;
  const { code, message } = error;
  if (code === "EPERM" || code === "EACCES")
    return new BpfError(
      code,
      `this machine refuses BPF programs that are attached to the kernel: ${message}; look for kernel lockdown (/sys/kernel/security/lockdown), a container's seccomp profile, missing CAP_BPF and CAP_PERFMON`,
      error,
    );
  return new BpfError(code, `this kernel does not take the BPF program: ${message}`, error);
}
