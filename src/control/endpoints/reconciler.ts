import type { Timer } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log/log.ts";
import { KernelError } from "../../kernel/netlink/errors.ts";
import type { Config } from "../config/config.ts";
import { interfaceName } from "../network/network.ts";
import { type Decision, type DesiredEndpoint, markRefused } from "../policy/decision.ts";
import { hostAddresses } from "../policy/host-addresses.ts";
import { desiredEndpoints } from "../policy/policy.ts";
import { AdditionLane } from "./addition-lane.ts";
import { CommandDesk, type EndpointCommand } from "./commands.ts";
import { type EndpointKernel, EndpointTable } from "./endpoint-table.ts";
import { Executor } from "./executor.ts";
import type { Ledger } from "./ledger.ts";
import { LimitKeeper, type PreviewedLimits } from "./limit-keeper.ts";
import { type EndpointTask, Outcomes, Refusals, type RefusalsOptions, type Task } from "./outcomes.ts";
import type { Addition, Step } from "./plan.ts";
import { Planner, type PlannerOptions } from "./planner.ts";
import { type AddressLoad, removeEndpoints } from "./remove-endpoints.ts";

/** While the wanted endpoints are not known, the reconciler does nothing. */
export interface ReconcilerOptions extends RefusalsOptions, PlannerOptions {
  readonly kernel: EndpointKernel;
  readonly ledger: Ledger;
  readonly log: Logger;
  /** Called before each full reading of the kernel, so at least every 30 s. */
  readonly beforeReading?: () => void;
  /** How many REMOVE_ADDR the kernel has sent; undefined: it does not say. */
  readonly removalsSent: () => bigint | undefined;
  /** What connections would lose now with each local address. */
  readonly addressLoads: () => Promise<ReadonlyMap<string, AddressLoad>>;
  /** The interfaces on which the kernel is looking for a neighbour's link address now. */
  readonly resolving: () => Promise<ReadonlySet<number>>;
  /** Called with the decisions of each run. */
  readonly onDecisions?: (decisions: readonly Decision[]) => void;
}

/** The reason why a run is scheduled. */
type Occasion = "period" | "retry" | "hold" | "step" | "look";

/** The result that a run would have. */
export interface Preview {
  readonly decisions: readonly Decision[];
  readonly steps: readonly Step[];
  readonly limits: PreviewedLimits;
}

/** Milliseconds between full readings of the kernel. */
const FULL_READING_PERIOD = 30_000;
/** Milliseconds from an addition in the fast lane to a whole run, if no change causes a run before. */
const WHOLE_RUN_DELAY = 100;
const reading: Task = { key: "read", revision: "", what: "read endpoints and limits", fields: {} };
const limiting: Task = { key: "limits", revision: "", what: "raise the limits", fields: {} };

/**
 * Makes the kernel's endpoints match the policy's decisions: whenever `trigger` says that something changed, after a
 * failure, and every 30 s. Runs never overlap; a change during a run causes one more run.
 *
 * Between full readings it trusts its last reading and its own commands, so that an addition costs one command. After
 * any surprise it reads again. Each endpoint, the limits and the reading itself have an outcome of their own
 * (`Outcomes`): a failed task is tried again by itself, and the others go on.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #table: EndpointTable;
  readonly #limits: LimitKeeper;
  readonly #planner: Planner;
  readonly #desk: CommandDesk;
  readonly #outcomes: Outcomes<EndpointTask>;
  readonly #others: Outcomes;
  readonly #executor: Executor;
  readonly #refusals: Refusals;
  readonly #lane: AdditionLane;
  readonly #timers = new Map<Occasion, Timer>();
  #stale = true;
  #wasRead = false;
  #dirty = false;
  #stopped = false;
  #running: Promise<void> | undefined;

  constructor(options: ReconcilerOptions) {
    const { kernel, ledger, log, clock, removalsSent, resolving } = options;
    this.#options = options;
    this.#table = new EndpointTable({ kernel, ledger, log, interfaceName: this.#interfaceName });
    this.#limits = new LimitKeeper(kernel, ledger, log);
    this.#planner = new Planner(options, this.#table);
    this.#lane = new AdditionLane(this.#table.formerId);
    this.#outcomes = new Outcomes(clock, log);
    this.#others = new Outcomes(clock, log);
    this.#refusals = new Refusals(options);
    this.#executor = new Executor({
      ...{ table: this.#table, outcomes: this.#outcomes, clock, removalsSent, resolving },
    });
    this.#desk = new CommandDesk({
      ...{ kernel, ledger },
      execute: (step) => this.#executor.execute(step),
    });
  }

  /** Something changed: reconcile as soon as the present run is over. */
  trigger(): void {
    if (this.#stopped) return;
    this.#dirty = true;
    this.#running ??= this.#run();
  }

  /** As `trigger`, but reads the kernel's endpoints and limits first, and retries failed tasks at once. */
  resync(): void {
    this.#outcomes.retryNow();
    this.#others.retryNow();
    this.#readAgain();
  }

  /**
   * Carries out a path manager's command between two plans. Rejects with a NetlinkError; EPERM: the endpoint is not
   * mptcpd's.
   */
  command(command: EndpointCommand): Promise<void> {
    const done = this.#desk.ask(command);
    if (this.#stopped) this.#desk.refuse();
    this.trigger();
    return done;
  }

  /** Resolves when nothing is left to do for now. */
  async settled(): Promise<void> {
    while (this.#running) await this.#running;
  }

  /** Works out what a run would do now. Changes nothing. */
  async preview(): Promise<Preview> {
    await this.#read();
    const { decisions, steps } = this.#planner.plan() ?? { decisions: [], steps: [] };
    const endpoints = this.#options.config().limits === "keep" ? [] : desiredEndpoints(decisions);
    return { decisions, steps, limits: await this.#limits.preview(endpoints) };
  }

  /**
   * Ends reconciling. With `remove`, deletes our endpoints and restores the limits; if one of these fails, the others
   * are done all the same.
   *
   * @throws Error that names everything that failed
   */
  async stop({ remove }: { readonly remove: boolean }): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
    await this.settled();
    this.#desk.refuse();
    this.#refusals.update([]);
    if (!remove) return;
    const { log, addressLoads } = this.#options;
    const problems: string[] = [];
    const collect = (error: unknown): void => void problems.push(messageOf(error));
    await this.#read().catch(collect);
    const ours = this.#table.current().flatMap(({ endpoint, ours }) => (ours ? endpoint : []));
    const left = await removeEndpoints(ours, {
      ...{ log, interfaceName: this.#interfaceName, loads: addressLoads },
      deleteEndpoint: async (endpoint) => {
        await this.#executor.execute({ kind: "delete", endpoint, reason: "stopping" });
      },
    });
    problems.push(...left);
    await this.#limits.restore().catch(collect);
    if (problems.length > 0) throw new Error(problems.join("; "));
  }

  async #run(): Promise<void> {
    while (this.#dirty) {
      this.#dirty = false;
      await this.#pass();
    }
    this.#running = undefined;
    const wait = Math.min(this.#outcomes.nextDue() ?? Infinity, this.#others.nextDue() ?? Infinity);
    if (wait !== Infinity) this.#schedule("retry", wait, () => this.trigger());
  }

  async #pass(): Promise<void> {
    const addition = this.#findAddition();
    if (addition !== undefined) return await this.#hurry(addition);
    if (!this.#desk.isIdle) await this.#serve();
    else if (this.#stale && this.#others.isDue(reading)) await this.#attempt(reading, () => this.#read());
    // If this reading fails, the last one is good enough to go on with.
    const planned = this.#wasRead ? this.#planner.plan() : undefined;
    if (planned === undefined) return;
    this.#timers.get("look")?.cancel();
    const { decisions, steps, network, config, wanted } = planned;
    const endpoints = desiredEndpoints(decisions);
    // Before the first step, because the kernel applies the limits when it adds an endpoint.
    if (this.#limits.hasWork(config.limits, endpoints)) await this.#keepLimits(config, endpoints);
    else this.#others.succeed(limiting);
    const { complete, interrupted, doubtful, againIn } = await this.#executor.run(steps, network);
    if (doubtful) this.#stale = true;
    if (interrupted || doubtful) this.#dirty = true;
    if (againIn !== undefined) this.#schedule("step", againIn, () => this.trigger());
    this.#refusals.update(this.#outcomes.failures);
    const current = this.#table.current();
    this.#options.onDecisions?.(markRefused(decisions, this.#refusals.current, current));
    const another = { address: "", port: 0, flags: config.addressFlags, ifIndex: 0 };
    if (complete && !this.#limits.hasWork(config.limits, [...endpoints, another])) {
      const rest = { hosts: hostAddresses(network, config), current };
      this.#lane.open(rest, { decisions, wanted, capacity: this.#table.capacity });
    }
    if (this.#dirty) return;
    const expiry = this.#planner.nextExpiry();
    if (expiry !== undefined) this.#schedule("hold", expiry, () => this.trigger());
  }

  /** The next step, if it is clear without a whole run. */
  #findAddition(): Addition | undefined {
    const config = this.#options.config();
    const network = this.#options.network();
    const wanted = this.#options.wanted();
    const addition = this.#lane.take(hostAddresses(network, config), wanted);
    if (addition === undefined || this.#stale || !this.#desk.isIdle) return undefined;
    return this.#executor.isFree(addition, network.links) ? addition : undefined;
  }

  /** If it fails, the next whole run tries again and records the outcome. */
  async #hurry(addition: Addition): Promise<void> {
    try {
      if (await this.#table.execute(addition))
        return this.#schedule("look", WHOLE_RUN_DELAY, () => this.trigger());
    } catch (error) {
      this.#stale ||= !(error instanceof KernelError);
    }
    this.#dirty = true;
  }

  async #keepLimits(config: Config, endpoints: readonly DesiredEndpoint[]): Promise<void> {
    if (!this.#others.isDue(limiting)) return;
    await this.#attempt(limiting, () => this.#limits.work(config.limits, endpoints));
  }

  async #attempt(task: Task, action: () => Promise<void>): Promise<void> {
    try {
      await action();
      this.#others.succeed(task);
    } catch (error) {
      this.#others.fail(task, error);
    }
  }

  #readAgain(): void {
    this.#table.doubtCapacity();
    this.#stale = true;
    this.trigger();
  }

  async #read(): Promise<void> {
    this.#schedule("period", FULL_READING_PERIOD, () => this.#readAgain());
    this.#options.beforeReading?.();
    await this.#table.read();
    await this.#limits.read();
    this.#stale = false;
    this.#wasRead = true;
  }

  /**
   * Carries out the commands of path managers on the kernel's present endpoints, and reads the result.
   */
  async #serve(): Promise<void> {
    try {
      await this.#read();
      await this.#desk.serve(() => this.#planner.plan()?.decisions);
    } catch (error) {
      this.#desk.refuse(error);
    }
    this.#stale = true;
    await this.#attempt(reading, () => this.#read());
  }

  readonly #interfaceName = (ifIndex: number): string => interfaceName(this.#options.network(), ifIndex);

  #schedule(occasion: Occasion, milliseconds: number, callback: () => void): void {
    if (this.#stopped) return;
    this.#timers.get(occasion)?.cancel();
    this.#timers.set(occasion, this.#options.clock.schedule(milliseconds, callback));
  }
}
