import { type Clock, until } from "../../base/clock.ts";
import type { Fields } from "../../base/log/log.ts";
import type { EndpointFlag } from "../../kernel/mptcp-pm.ts";
import type { Bits } from "../../kernel/netlink/bits.ts";
import { KernelError } from "../../kernel/netlink/errors.ts";
import { interfaceName, type Network } from "../network/network.ts";
import { REMOVAL_SPACING } from "../removal-spacing.ts";
import { describeEndpoint } from "./endpoint-record.ts";
import type { EndpointTable } from "./endpoint-table.ts";
import type { EndpointTask, Outcomes } from "./outcomes.ts";
import type { Step } from "./plan.ts";
import { SETTLING_PERIOD, Settling, type SettlingOptions } from "./settling.ts";

export interface ExecutorOptions extends Pick<SettlingOptions, "resolving"> {
  readonly table: EndpointTable;
  readonly outcomes: Outcomes<EndpointTask>;
  readonly clock: Clock;
  /** How many REMOVE_ADDR the kernel has sent; undefined: it does not say. */
  readonly removalsSent: () => bigint | undefined;
}

export interface Execution {
  /** Every step was carried out. */
  readonly complete: boolean;
  /** The rest needs a new plan: the kernel's state was not as expected, or peers need time for a deletion. */
  readonly interrupted: boolean;
  /** A command got no answer: only reading the kernel again shows whether it took effect. */
  readonly doubtful: boolean;
  /** Milliseconds until a step that had to wait may be carried out; undefined: none had to wait. */
  readonly againIn: number | undefined;
}

const none: ReadonlySet<Step> = new Set();

/** Carries out plans. Each step has its own outcome: a failed step delays only the steps that need it. */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #settling: Settling;
  /** When the next deletion is allowed. */
  #deletionDue = Number.NEGATIVE_INFINITY;
  /** The counter after the last deletion. Peers also have to handle the REMOVE_ADDR of others since then. */
  #removalsSent: bigint | undefined;

  constructor(options: ExecutorOptions) {
    const { clock, resolving, table } = options;
    const wasEndpoint = (address: string): boolean => table.formerId(address) !== undefined;
    this.#options = options;
    this.#settling = new Settling({ clock, resolving, wasEndpoint });
  }

  async run(steps: readonly Step[], network: Network): Promise<Execution> {
    const { table, outcomes, clock } = this.#options;
    const tasks: StepTask[] = [];
    for (const step of steps) tasks.push(new StepTask(step, interfaceName(network, step.endpoint.ifIndex)));
    outcomes.retain(tasks);
    let doubtful = false;
    const returning = this.#settling.returning(steps, network.links);
    const settling = returning.length > 0 ? await this.#settling.waiting(returning) : none;
    let againIn: number | undefined = settling.size > 0 ? SETTLING_PERIOD : undefined;
    let complete = true;
    for (const task of tasks) {
      const { step } = task;
      const wait = step.kind === "delete" ? Math.ceil(this.#deletionDue - clock.now()) : 0;
      if (wait > 0) againIn = Math.min(wait, againIn ?? wait);
      if (wait > 0 || settling.has(step) || !table.hasRoomFor(step) || !outcomes.isDue(task)) {
        complete = false;
        continue;
      }
      try {
        const expected = step.kind === "delete" ? await this.#delete(step) : await table.execute(step);
        if (expected) outcomes.succeed(task);
        // Additions that this deletion makes room for come first: the next deletion has to wait if peers were told.
        const mustWait = step.kind === "delete" && clock.now() < this.#deletionDue;
        if (!expected || mustWait) return { complete: false, interrupted: true, doubtful, againIn };
      } catch (error) {
        complete = false;
        outcomes.fail(task, error);
        doubtful ||= !(error instanceof KernelError);
      }
    }
    return { complete, interrupted: false, doubtful, againIn };
  }

  /** Whether an addition may be carried out at once. */
  isFree(addition: Step, links: Network["links"]): boolean {
    return this.#settling.returning([addition], links).length === 0;
  }

  /**
   * Carries out one step outside of a plan. A deletion waits until peers have had time for the last one. Throws the
   * error of the command.
   *
   * @returns false if the endpoint is no longer ours
   */
  async execute(step: Step): Promise<boolean> {
    if (step.kind !== "delete") return await this.#options.table.execute(step);
    await until(this.#options.clock, this.#deletionDue);
    return await this.#delete(step);
  }

  async #delete(step: Step): Promise<boolean> {
    const { table, clock, removalsSent } = this.#options;
    const before = this.#removalsSent ?? removalsSent();
    const expected = await table.execute(step);
    this.#removalsSent = removalsSent();
    if (before === undefined || this.#removalsSent !== before)
      this.#deletionDue = clock.now() + REMOVAL_SPACING;
    return expected;
  }
}

/** A step, with the names that the log needs if it fails. */
class StepTask implements EndpointTask {
  readonly step: Step;
  /** The name as it is now: when somebody asks for it, the interface may be gone. */
  readonly #interfaceName: string;

  constructor(step: Step, interfaceName: string) {
    this.step = step;
    this.#interfaceName = interfaceName;
  }

  get key(): string {
    const { address, port, ifIndex } = this.step.endpoint;
    return `${address} ${port} ${ifIndex}`;
  }

  get revision(): string {
    return `${this.step.kind} ${this.#wanted.value}`;
  }

  get what(): string {
    const { kind, endpoint } = this.step;
    // Without the id: the kernel or the plan may choose another one for each attempt.
    const named = kind === "add" ? { ...endpoint, id: 0 } : { ...endpoint, flags: this.#wanted };
    return `${kind} ${describeEndpoint(named, this.#interfaceName)}`;
  }

  get fields(): Fields {
    const { id, address } = this.step.endpoint;
    return { ENDPOINT_ID: id, ADDRESS: address, INTERFACE: this.#interfaceName };
  }

  get #wanted(): Bits<EndpointFlag> {
    return this.step.kind === "change" ? this.step.flags : this.step.endpoint.flags;
  }
}
