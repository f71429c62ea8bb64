import type { Logger } from "../../base/log/log.ts";
import type { SysctlError, Sysctls } from "../../kernel/sysctl.ts";
import type { Responsibility } from "../../path-managers/runtime/messages.ts";

/** Says when somebody switches something that makes our work useless, and when it is of use again. */
export class SysctlWatch {
  readonly #sysctls: Sysctls;
  readonly #log: Logger;
  /** The path manager that the plugins in charge need; undefined: any. */
  readonly #needed: () => string | undefined;
  #enabled = true;
  #wrongManager: string | undefined;

  constructor(sysctls: Sysctls, log: Logger, needed: () => string | undefined) {
    this.#sysctls = sysctls;
    this.#log = log;
    this.#needed = needed;
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
    const needed = this.#needed();
    const manager = this.#sysctls.pathManager() ?? "kernel";
    const wrong = needed === undefined || manager === needed ? undefined : manager;
    if (wrong === this.#wrongManager) return;
    this.#wrongManager = wrong;
    if (wrong === undefined) this.#log.notice(`net.mptcp.path_manager is ${manager}`);
    else this.#log.warning(`net.mptcp.path_manager is ${wrong}: ${this.#consequence(needed)}`);
  }

  #consequence(needed: string | undefined): string {
    return needed === "kernel"
      ? "new connections take no notice of endpoints until it is kernel again"
      : `the path managers have no hand in new connections until it is ${needed}`;
  }
}

/** What the kernel's path manager has to be for those in charge; undefined: any. */
export function neededBy(responsibility: Responsibility | undefined): "userspace" | "kernel" | undefined {
  const needs = responsibility?.needs ?? "kernel";
  return needs === "any" ? undefined : needs;
}

/** What to say where it cannot be what they need. */
export function lacksUserspace({ connections }: Responsibility, problem: SysctlError): string {
  return (
    `${connections.join(", ")} needs the kernel's userspace path manager: ${problem.message}; ` +
    "set it by hand, with kernel-path-manager=keep in the configuration"
  );
}
