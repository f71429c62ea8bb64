import type { Sysctls } from "../kernel/sysctl.ts";
import type { Logger } from "../log/log.ts";

/** Says when somebody switches something that makes our endpoints useless, and when they are useful again. */
export class SysctlWatch {
  readonly #sysctls: Sysctls;
  readonly #log: Logger;
  #enabled = true;
  #manager = "kernel";

  constructor(sysctls: Sysctls, log: Logger) {
    this.#sysctls = sysctls;
    this.#log = log;
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
    const manager = this.#sysctls.pathManager() ?? "kernel";
    if (manager === this.#manager) return;
    this.#manager = manager;
    const message = `net.mptcp.path_manager is ${manager}`;
    if (manager === "kernel") this.#log.notice(message);
    else
      this.#log.warning(`${message}: new connections take no notice of endpoints until it is kernel again`);
  }
}
