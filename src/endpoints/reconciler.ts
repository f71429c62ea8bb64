import type { Config } from "../config/config.ts";
import type { Limits } from "../kernel/mptcp-pm.ts";
import { REMOVAL_SPACING } from "../kernel/removals.ts";
import type { Logger } from "../log/log.ts";
import type { Network } from "../network/network.ts";
import { interfaceName } from "../network/network.ts";
import type { Decision } from "../policy/decision.ts";
import { decide, desiredEndpoints } from "../policy/policy.ts";
import type { WantedEndpoints } from "../policy/wanted.ts";
import { type Clock, type Timer, until } from "./clock.ts";
import { CommandDesk, type EndpointCommand, EndpointCommandError } from "./commands.ts";
import { Holds } from "./holds.ts";
import type { Ledger } from "./ledger.ts";
import { LimitKeeper } from "./limit-keeper.ts";
import type { Step } from "./plan.ts";
import { plan } from "./plan.ts";
import type { EndpointKernel } from "./table.ts";
import { EndpointTable } from "./table.ts";

export interface ReconcilerOptions {
  readonly kernel: EndpointKernel;
  readonly ledger: Ledger;
  readonly network: () => Network;
  readonly config: () => Config;
  /** The endpoints that are wanted of a network; undefined: it is not known yet, and nothing is done. */
  readonly wanted: (network: Network, config: Config) => WantedEndpoints | undefined;
  readonly log: Logger;
  readonly clock: Clock;
  /** Called before each full reading of the kernel, so at least every 30 s. */
  readonly beforeReading?: () => void;
  /** How many REMOVE_ADDR the kernel has sent; undefined: it does not say. */
  readonly removalsSent: () => bigint | undefined;
  /** Told what each run has decided. */
  readonly onDecisions?: (decisions: readonly Decision[]) => void;
}

/** What a run is scheduled for. */
type Occasion = "period" | "retry" | "hold" | "deletion";

/** What a run would do. */
export interface Preview {
  readonly decisions: readonly Decision[];
  readonly steps: readonly Step[];
  readonly limits: Limits;
}

/** Milliseconds between full readings of the kernel, and the longest wait after a failure. */
const PERIOD = 30_000;
const FIRST_RETRY = 100;
/**
 * Makes the kernel's endpoints those that the policy wants: whenever `trigger` says that something changed, after
 * a failure, and every 30 s. Runs never overlap, and what changes during a run causes one more.
 *
 * Between full readings it trusts what it read and what it did itself, so that an addition costs one command;
 * whatever surprises it makes it read again.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #table: EndpointTable;
  readonly #limits: LimitKeeper;
  readonly #holds: Holds;
  readonly #desk: CommandDesk;
  readonly #timers = new Map<Occasion, Timer>();
  /** When the next deletion may be. */
  #deletionDue = Number.NEGATIVE_INFINITY;
  #stale = true;
  #dirty = false;
  #stopped = false;
  #running: Promise<void> | undefined;
  #failures = 0;
  #lastFailure: string | undefined;

  constructor(options: ReconcilerOptions) {
    const { kernel, ledger, log, clock, network } = options;
    this.#options = options;
    this.#table = new EndpointTable({
      kernel,
      ledger,
      log,
      interfaceName: (ifIndex) => interfaceName(network(), ifIndex),
    });
    this.#limits = new LimitKeeper(kernel, ledger, log);
    this.#holds = new Holds(clock);
    this.#desk = new CommandDesk({
      ...{ kernel, ledger },
      execute: (step) => this.#execute(step),
      untilDeletion: () => until(clock, this.#deletionDue),
    });
  }

  /** Something changed: reconcile, as soon as the present run is over. */
  trigger(): void {
    if (this.#stopped) return;
    this.#dirty = true;
    this.#running ??= this.#run();
  }

  /** As `trigger`, and reads the kernel's endpoints and limits first. */
  resync(): void {
    this.#table.doubtCapacity();
    this.#stale = true;
    this.trigger();
  }

  /** Carries out a path manager's command between two plans. Rejects with a NetlinkError: EPERM, of others' endpoints. */
  command(command: EndpointCommand): Promise<void> {
    const done = this.#desk.ask(command);
    if (this.#stopped) this.#refuseCommands();
    this.trigger();
    return done;
  }

  /** Resolves when there is nothing left to do for now. */
  async settled(): Promise<void> {
    while (this.#running) await this.#running;
  }

  /** What a run would do now. Changes nothing. */
  async preview(): Promise<Preview> {
    await this.#read();
    const { decisions, steps } = this.#decide() ?? { decisions: [], steps: [] };
    return { decisions, steps, limits: this.#limits.wanted(desiredEndpoints(decisions)) };
  }

  /** Ends reconciling. With `remove`, deletes our endpoints and gives the limits back. */
  async stop({ remove }: { readonly remove: boolean }): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
    await this.settled();
    this.#refuseCommands();
    if (!remove) return;
    await this.#read();
    for (const { endpoint, ours } of this.#table.current()) {
      if (!ours) continue;
      await until(this.#options.clock, this.#deletionDue);
      await this.#execute({ kind: "delete", endpoint, reason: "stopping" });
    }
    await this.#limits.restore();
  }

  async #run(): Promise<void> {
    while (this.#dirty) {
      this.#dirty = false;
      try {
        await this.#pass();
        this.#failures = 0;
        this.#lastFailure = undefined;
      } catch (error) {
        this.#fail(error);
      }
    }
    this.#running = undefined;
  }

  async #pass(): Promise<void> {
    if (this.#stale || !this.#desk.isIdle) await this.#read();
    if (!this.#desk.isIdle) {
      await this.#desk.serve(() => this.#decide()?.decisions);
      await this.#read();
    }
    const decided = this.#decide();
    if (decided === undefined) return;
    const { decisions, steps } = decided;
    this.#options.onDecisions?.(decisions);
    // One command that fails must not keep the others back.
    const errors: unknown[] = [];
    // Limits go out before the first step, since the kernel heeds them when it adds; their answer is not waited for.
    const limited = this.#limits.apply(desiredEndpoints(decisions)).catch((error) => errors.push(error));
    for (const step of steps) {
      const wait = Math.ceil(this.#deletionDue - this.#options.clock.now());
      if (step.kind === "delete" && wait > 0) {
        this.#schedule("deletion", wait, () => this.trigger());
        break;
      }
      const expected = await this.#execute(step).catch((error) => errors.push(error) > 0);
      if (!expected) this.#dirty = true;
      if (this.#dirty) break;
    }
    await limited;
    if (errors.length > 0) throw errors[0];
    if (this.#dirty) return;
    const expiry = this.#holds.nextExpiry(this.#options.config().removalDelay);
    if (expiry !== undefined) this.#schedule("hold", expiry, () => this.trigger());
  }

  async #execute(step: Step): Promise<boolean> {
    if (step.kind !== "delete") return await this.#table.execute(step);
    const { clock, removalsSent } = this.#options;
    const before = removalsSent();
    const expected = await this.#table.execute(step);
    if (before === undefined || removalsSent() !== before) {
      this.#deletionDue = clock.now() + REMOVAL_SPACING;
      // Peers were told of it. What it makes room for comes before the next one, which has to wait.
      this.#dirty = true;
    }
    return expected;
  }

  async #read(): Promise<void> {
    this.#options.beforeReading?.();
    await this.#table.read();
    await this.#limits.read();
    this.#stale = false;
    this.#schedule("period", PERIOD, () => this.resync());
  }

  #decide(): { decisions: readonly Decision[]; steps: readonly Step[] } | undefined {
    const config = this.#options.config();
    const network = this.#options.network();
    const wanted = this.#options.wanted(network, config);
    if (wanted === undefined) return undefined;
    const current = this.#table.current();
    const { capacity } = this.#table;
    const decisions = this.#holds.apply(config.removalDelay, (expired) =>
      decide({ network, config, wanted, capacity, current, expired }),
    );
    const formerId = (address: string): number | undefined => this.#table.formerId(address);
    return {
      decisions,
      steps: plan({ decisions, current, capacity, formerId, droppedFlags: this.#table.droppedFlags }),
    };
  }

  #refuseCommands(): void {
    this.#desk.refuse(new EndpointCommandError("change endpoints", "ECANCELED", "mptcpd stops"));
  }

  #fail(error: unknown): void {
    this.#desk.refuse(error);
    const { log } = this.#options;
    const message = error instanceof Error ? error.message : String(error);
    const wait = Math.min(FIRST_RETRY * 2 ** this.#failures, PERIOD);
    if (message === this.#lastFailure) log.debug(`${message}; trying again in ${wait} ms`);
    else log.error(`${message}; trying again until it works`);
    this.#failures++;
    this.#lastFailure = message;
    this.#stale = true;
    this.#schedule("retry", wait, () => this.trigger());
  }

  #schedule(occasion: Occasion, milliseconds: number, callback: () => void): void {
    if (this.#stopped) return;
    this.#timers.get(occasion)?.cancel();
    this.#timers.set(occasion, this.#options.clock.schedule(milliseconds, callback));
  }
}
