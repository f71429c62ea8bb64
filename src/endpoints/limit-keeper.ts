import type { Limits } from "../kernel/mptcp-pm.ts";
import type { Logger } from "../log/log.ts";
import { KernelError } from "../netlink/errors.ts";
import type { DesiredEndpoint } from "../policy/decision.ts";
import { limitsFor } from "../policy/limits.ts";
import type { Ledger, LimitsRecord } from "./ledger.ts";
import type { EndpointKernel } from "./table.ts";

/** What kernels before 7.2 allow (net/mptcp/pm_kernel.c, MPTCP_PM_ADDR_MAX), for those that do not tell. */
const MOST_OF_OLD_KERNELS = 8;

/** Raises the limits to what the endpoints need, and remembers what the administrator had. */
export class LimitKeeper {
  readonly #kernel: EndpointKernel;
  readonly #ledger: Ledger;
  readonly #log: Logger;
  #maximum = Number.POSITIVE_INFINITY;
  #current: Limits = { subflows: 0, addAddrAccepted: 0 };
  #administrators: Limits = { subflows: 0, addAddrAccepted: 0 };

  constructor(kernel: EndpointKernel, ledger: Ledger, log: Logger) {
    this.#kernel = kernel;
    this.#ledger = ledger;
    this.#log = log;
  }

  /** Reads the limits. Values that are not those we set are the administrator's. */
  async read(): Promise<void> {
    this.#current = await this.#kernel.getLimits();
    this.#administrators = this.#recordOfOurs()?.found ?? this.#current;
  }

  /** What the limits should be. They are only ever raised: lowering them as addresses go would gain nothing. */
  wanted(endpoints: readonly DesiredEndpoint[]): Limits {
    return limitsFor(endpoints, this.#current, this.#maximum);
  }

  /** Sets the limits if they are not what the endpoints need. */
  async apply(endpoints: readonly DesiredEndpoint[]): Promise<void> {
    const wanted = this.wanted(endpoints);
    if (sameLimits(wanted, this.#current)) return;
    try {
      await this.#set(wanted);
    } catch (error) {
      const maximum = refusedMaximum(error);
      if (maximum === undefined || maximum >= wanted.subflows) throw error;
      this.#maximum = maximum;
      await this.apply(endpoints);
    }
  }

  /** Gives the limits back, unless somebody changed them since. */
  async restore(): Promise<void> {
    const record = this.#recordOfOurs();
    if (record) await this.#set(record.found);
    this.#ledger.recordLimits(undefined);
  }

  async #set(limits: Limits): Promise<void> {
    const before = this.#recordOfOurs();
    const inForce = before ? [this.#current] : [];
    this.#ledger.recordLimits({ found: this.#administrators, ours: [...inForce, limits] });
    try {
      await this.#kernel.setLimits(limits);
    } catch (error) {
      if (error instanceof KernelError) this.#ledger.recordLimits(before);
      throw error;
    }
    this.#current = limits;
    this.#log.info(`limits: subflows ${limits.subflows}, add_addr_accepted ${limits.addAddrAccepted}`);
  }

  /** The ledger's record, if the limits in force are ours. */
  #recordOfOurs(): LimitsRecord | undefined {
    const record = this.#ledger.limits;
    return record?.ours.some((limits) => sameLimits(limits, this.#current)) ? record : undefined;
  }
}

function sameLimits(a: Limits, b: Limits): boolean {
  return a.subflows === b.subflows && a.addAddrAccepted === b.addAddrAccepted;
}

/** The maximum that the kernel named when it refused a limit, as in "limit greater than maximum (8)". */
function refusedMaximum(error: unknown): number | undefined {
  if (!(error instanceof KernelError) || error.code !== "EINVAL") return undefined;
  const named = error.extendedAck?.match(/maximum \((\d+)\)/)?.[1];
  return named === undefined ? MOST_OF_OLD_KERNELS : Number(named);
}
