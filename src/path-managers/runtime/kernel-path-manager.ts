import type { Logger } from "../../base/log/log.ts";
import type { Config } from "../../control/config/config.ts";
import type { Ledger } from "../../control/endpoints/ledger.ts";
import { SysctlError, type Sysctls } from "../../kernel/sysctl.ts";
import type { Responsibility } from "./messages.ts";
import { PathManagersRefusedError } from "./thread-failure.ts";

export interface KernelPathManagerOptions {
  readonly sysctls: Sysctls;
  readonly ledger: Ledger;
  readonly log: Logger;
}

/**
 * The kernel's path manager for new connections (net.mptcp.path_manager, before Linux 6.15 pm_type): sets what the path
 * managers in charge need, and gives back what was found. Connections keep the one that they began with.
 */
export class KernelPathManager {
  readonly #sysctls: Sysctls;
  readonly #ledger: Ledger;
  readonly #log: Logger;
  /** What it is to be; undefined: as it is. */
  #wanted: string | undefined;

  constructor({ sysctls, ledger, log }: KernelPathManagerOptions) {
    this.#sysctls = sysctls;
    this.#ledger = ledger;
    this.#log = log;
  }

  /**
   * Sets it as a configuration has it, for those in charge; where that is not possible, that is logged.
   *
   * @returns why path managers that need it cannot work
   */
  set(
    { kernelPathManager: given }: Pick<Config, "kernelPathManager">,
    responsibility: Responsibility | undefined,
  ): string | undefined {
    const needed = neededBy(responsibility);
    const wanted = given === "auto" ? needed : given === "keep" ? undefined : given;
    this.#wanted = wanted;
    const problem = this.#attempt(() => (wanted === undefined ? this.#giveBack() : this.#set(wanted)));
    if (problem === undefined || responsibility === undefined || needed !== "userspace") return undefined;
    return lacksUserspace(responsibility, problem);
  }

  /**
   * For path managers that are about to take charge: sets it if they need another one.
   *
   * @throws PathManagersRefusedError if that is not possible
   */
  require(config: Pick<Config, "kernelPathManager">, responsibility: Responsibility): void {
    if (neededBy(responsibility) !== "userspace") return;
    const problem = this.set(config, responsibility);
    if (problem !== undefined) throw new PathManagersRefusedError([problem]);
  }

  /** Sets it again, if somebody has changed it. */
  check(): void {
    const wanted = this.#wanted;
    if (wanted !== undefined) this.#attempt(() => this.#set(wanted));
  }

  /** Gives back what was found, unless somebody has changed it since. */
  restore(): void {
    this.#attempt(() => this.#giveBack());
  }

  #attempt(action: () => void): SysctlError | undefined {
    try {
      action();
      return undefined;
    } catch (error) {
      if (!(error instanceof SysctlError)) throw error;
      this.#log.warning(error.message);
      return error;
    }
  }

  /** Throws SysctlError: ENOENT where the kernel has just one (before Linux 5.19). */
  #set(wanted: string): void {
    const present = this.#sysctls.pathManager();
    if (present === wanted) return;
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

  #giveBack(): void {
    const record = this.#ledger.pathManager;
    if (record === undefined) return;
    if (this.#sysctls.pathManager() === record.ours && record.found !== record.ours) {
      this.#sysctls.setPathManager(record.found);
      this.#log.notice(`net.mptcp.path_manager is ${record.found} again`);
    }
    this.#ledger.recordPathManager(undefined);
  }
}

/** Says when somebody switches something that makes our work useless, and when it is of use again. */
export class SysctlWatch {
  readonly #sysctls: Sysctls;
  readonly #log: Logger;
  /** Of those in charge; undefined: nobody is yet. */
  readonly #responsibility: () => Responsibility | undefined;
  #enabled = true;
  #wrongManager: string | undefined;

  constructor(sysctls: Sysctls, log: Logger, responsibility: () => Responsibility | undefined) {
    this.#sysctls = sysctls;
    this.#log = log;
    this.#responsibility = responsibility;
  }

  check(): void {
    const enabled = this.#sysctls.mptcp("enabled") ?? false;
    if (enabled !== this.#enabled) {
      this.#enabled = enabled;
      if (enabled) this.#log.notice("net.mptcp.enabled is on again");
      else
        this.#log.warning(
          "net.mptcp.enabled was switched off: no new connection uses MPTCP until it is on again",
        );
    }
    const needed = neededBy(this.#responsibility());
    const manager = this.#sysctls.pathManager() ?? "kernel";
    const wrong = needed === undefined || manager === needed ? undefined : manager;
    if (wrong === this.#wrongManager) return;
    this.#wrongManager = wrong;
    if (wrong === undefined) this.#log.notice(`net.mptcp.path_manager is ${manager}`);
    else this.#log.warning(`net.mptcp.path_manager is ${wrong}: ${consequence(needed)}`);
  }
}

/** What it has to be for those in charge; undefined: any. */
function neededBy(responsibility: Responsibility | undefined): "userspace" | "kernel" | undefined {
  const needs = responsibility?.needs ?? "kernel";
  return needs === "any" ? undefined : needs;
}

function lacksUserspace({ connections }: Responsibility, problem: SysctlError): string {
  return (
    `${connections.join(", ")} needs the kernel's userspace path manager: ${problem.message}; ` +
    "set it by hand, with kernel-path-manager=keep in the configuration"
  );
}

function consequence(needed: string | undefined): string {
  return needed === "kernel"
    ? "new connections take no notice of endpoints until it is kernel again"
    : `the path managers have no hand in new connections until it is ${needed}`;
}
