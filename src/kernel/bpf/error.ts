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
