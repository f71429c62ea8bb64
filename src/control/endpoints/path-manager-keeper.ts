import type { Logger } from "../../base/log/log.ts";
import type { Sysctls } from "../../kernel/sysctl.ts";
import type { Ledger } from "./ledger.ts";

/**
 * Sets the kernel's path manager for new connections (net.mptcp.path_manager, before Linux 6.15 pm_type), and gives back
 * what was found. Connections keep the one that they began with.
 */
export class PathManagerKeeper {
  readonly #sysctls: Sysctls;
  readonly #ledger: Ledger;
  readonly #log: Logger;
  #wanted: string | undefined;

  constructor(sysctls: Sysctls, ledger: Ledger, log: Logger) {
    this.#sysctls = sysctls;
    this.#ledger = ledger;
    this.#log = log;
  }

  /** What it is to be; undefined: as it is. */
  get wanted(): string | undefined {
    return this.#wanted;
  }

  /** Sets it, or gives back what was found. Throws SysctlError: ENOENT where the kernel has just one (before Linux 5.19). */
  want(manager: string | undefined): void {
    this.#wanted = manager;
    if (manager === undefined) this.restore();
    else this.check();
  }

  /** Sets it again, if somebody has changed it. Throws SysctlError. */
  check(): void {
    const wanted = this.#wanted;
    const present = this.#sysctls.pathManager();
    if (wanted === undefined || present === wanted) return;
    const record = this.#ledger.pathManager;
    if (record?.ours === wanted)
      this.#log.warning(
        `net.mptcp.path_manager was changed to ${present} by somebody else; it is ${wanted} again (kernel-path-manager=keep leaves it alone)`,
      );
    // A kernel without a choice has only this one.
    if (present === undefined && wanted === "kernel") return;
    const found = record !== undefined && record.ours === present ? record.found : (present ?? "kernel");
    this.#ledger.recordPathManager({ found, ours: wanted });
    this.#sysctls.setPathManager(wanted);
    this.#log.notice(`net.mptcp.path_manager is ${wanted} for new connections`);
  }

  /** Gives back what was found, unless somebody has changed it since. Throws SysctlError. */
  restore(): void {
    const record = this.#ledger.pathManager;
    if (record === undefined) return;
    if (this.#sysctls.pathManager() === record.ours && record.found !== record.ours) {
      this.#sysctls.setPathManager(record.found);
      this.#log.notice(`net.mptcp.path_manager is ${record.found} again`);
    }
    this.#ledger.recordPathManager(undefined);
  }
}
