import type { Logger } from "../../base/log/log.ts";
import type { Limits } from "../../kernel/mptcp-pm.ts";
import { namedMaximum, refusalOf } from "../../kernel/mptcp-pm-refusals.ts";
import { KernelError } from "../../kernel/netlink/errors.ts";
import type { Config } from "../config/config.ts";
import type { DesiredEndpoint } from "../policy/decision.ts";
import { limitsFor } from "../policy/limits.ts";
import type { EndpointKernel } from "./endpoint-table.ts";
import type { Ledger } from "./ledger.ts";
import type { LimitsRecord } from "./ledger-format.ts";

/** The maximum of kernels before 7.2 (net/mptcp/pm_kernel.c, MPTCP_PM_ADDR_MAX), used if the kernel does not tell. */
const MOST_OF_OLD_KERNELS = 8;
/** More than any kernel allows. */
const TOO_MUCH = 0xffff_ffff;

/** Undefined: the kernel's maximum. Only a process that may change limits can find it out. */
export interface PreviewedLimits {
  readonly subflows: number | undefined;
  readonly addAddrAccepted: number | undefined;
}

/** Raises the limits to the values that the endpoints need, and remembers the administrator's values. */
export class LimitKeeper {
  readonly #kernel: EndpointKernel;
  readonly #ledger: Ledger;
  readonly #log: Logger;
  #maximum: number | undefined;
  #current: Limits = { subflows: 0, addAddrAccepted: 0 };
  #administrators: Limits = { subflows: 0, addAddrAccepted: 0 };

  constructor(kernel: EndpointKernel, ledger: Ledger, log: Logger) {
    this.#kernel = kernel;
    this.#ledger = ledger;
    this.#log = log;
  }

  /** Reads the limits. Values that we did not set are the administrator's. */
  async read(): Promise<void> {
    this.#current = await this.#kernel.getLimits();
    this.#administrators = this.#recordOfOurs()?.found ?? this.#current;
  }

  /** The limits that `work` would set. Changes nothing. */
  async preview(endpoints: readonly DesiredEndpoint[]): Promise<PreviewedLimits> {
    const maximum = await this.#findMaximum().catch(() => undefined);
    const wanted = limitsFor(endpoints, this.#current, maximum ?? TOO_MUCH);
    const known = (limit: number) => (limit === TOO_MUCH ? undefined : limit);
    return { subflows: known(wanted.subflows), addAddrAccepted: known(wanted.addAddrAccepted) };
  }

  /** Whether `work` would change the limits that were read last. */
  hasWork(mode: Config["limits"], endpoints: readonly DesiredEndpoint[]): boolean {
    return mode === "keep" ? this.#recordOfOurs() !== undefined : this.#fallShort(endpoints);
  }

  /** Raises the limits if they are not enough for the endpoints; with `keep`, restores the administrator's values. */
  async work(mode: Config["limits"], endpoints: readonly DesiredEndpoint[]): Promise<void> {
    await (mode === "keep" ? this.restore() : this.#raise(endpoints));
  }

  /** Restores the administrator's limits, unless somebody has changed ours since. */
  async restore(): Promise<void> {
    if (this.#ledger.limits === undefined) return;
    await this.read();
    const record = this.#recordOfOurs();
    if (record) await this.#set(record.found);
    this.#ledger.recordLimits(undefined);
  }

  /**
   * Raises the limits if they are not enough for the endpoints; never lowers them. Reads them once more just before
   * that: the administrator may have set them since `read`.
   */
  async #raise(endpoints: readonly DesiredEndpoint[]): Promise<void> {
    if (!this.#fallShort(endpoints)) return;
    const maximum = await this.#findMaximum();
    await this.read();
    const wanted = limitsFor(endpoints, this.#current, maximum);
    if (!sameLimits(wanted, this.#current)) await this.#set(wanted);
  }

  /** Whether the limits that were read last are not enough. */
  #fallShort(endpoints: readonly DesiredEndpoint[]): boolean {
    return !sameLimits(limitsFor(endpoints, this.#current, this.#maximum ?? TOO_MUCH), this.#current);
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

  /** The kernel tells its maximum only when it refuses a higher value. The refused request changes nothing. */
  async #findMaximum(): Promise<number> {
    if (this.#maximum !== undefined) return this.#maximum;
    try {
      await this.#kernel.setLimits({ subflows: TOO_MUCH, addAddrAccepted: TOO_MUCH });
    } catch (error) {
      if (refusalOf(error) !== "limit-too-high") throw error;
      this.#maximum = namedMaximum(error) ?? MOST_OF_OLD_KERNELS;
    }
    if (this.#maximum === undefined)
      throw new Error("cannot find the maximum of the limits: the kernel refused no value");
    return this.#maximum;
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
