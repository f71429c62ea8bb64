import { type Clock, until } from "../../base/clock.ts";
import { KernelError } from "../../kernel/netlink/errors.ts";
import { REMOVAL_SPACING } from "../removal-spacing.ts";
import { describeEndpoint } from "./endpoint-record.ts";
import type { EndpointTable } from "./endpoint-table.ts";
import type { EndpointTask, Outcomes } from "./outcomes.ts";
import type { Step } from "./plan.ts";

export interface ExecutorOptions extends Pick<SettlingOptions, "resolving"> {
  readonly table: EndpointTable;
  readonly outcomes: Outcomes<EndpointTask>;
  readonly clock: Clock;
  readonly interfaceName: (ifIndex: number) => string;
  /** How many REMOVE_ADDR the kernel has sent; undefined: it does not say. */
  readonly removalsSent: () => bigint | undefined;
}

export interface Execution {
  /** The rest wants a new plan: the kernel was not as we thought, or peers deal with a deletion. */
  readonly interrupted: boolean;
  /** A command had no answer: only reading the kernel again tells what became of it. */
  readonly doubtful: boolean;
  /** Milliseconds until a step may be that had to wait; undefined: none has. */
  readonly againIn: number | undefined;
}

/** Milliseconds between two looks whether a link has settled. */
const SETTLING_PERIOD = 100;

/** Carries out plans. Each step has an outcome of its own: one that fails delays no other that does not need it. */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #settling: Settling;
  /** When the next deletion may be. */
  #deletionDue = Number.NEGATIVE_INFINITY;

  constructor(options: ExecutorOptions) {
    const { clock, resolving, table } = options;
    const wasEndpoint = (address: string): boolean => table.formerId(address) !== undefined;
    this.#options = options;
    this.#settling = new Settling({ clock, resolving, wasEndpoint });
  }

  async run(steps: readonly Step[]): Promise<Execution> {
    const { table, outcomes, clock } = this.#options;
    const tasks = steps.map((step) => this.#taskOf(step));
    outcomes.retain(tasks);
    let doubtful = false;
    const settling = await this.#settling.waiting(steps);
    let againIn: number | undefined = settling.size > 0 ? SETTLING_PERIOD : undefined;
    for (const task of tasks) {
      const { step } = task;
      const wait = step.kind === "delete" ? Math.ceil(this.#deletionDue - clock.now()) : 0;
      if (wait > 0) againIn = Math.min(wait, againIn ?? wait);
      if (wait > 0 || settling.has(step) || !table.hasRoomFor(step) || !outcomes.isDue(task)) continue;
      try {
        const { expected, werePeersTold } = await this.#carryOut(step);
        if (expected) outcomes.succeed(task);
        if (!expected || werePeersTold) return { interrupted: true, doubtful, againIn };
      } catch (error) {
        outcomes.fail(task, error);
        doubtful ||= !(error instanceof KernelError);
      }
    }
    return { interrupted: false, doubtful, againIn };
  }

  /**
   * Carries out one step outside of a plan; a deletion when peers have had time to deal with the last one. Throws what
   * the command throws.
   *
   * @returns false where the endpoint is not ours any more
   */
  async execute(step: Step): Promise<boolean> {
    if (step.kind === "delete") await until(this.#options.clock, this.#deletionDue);
    return (await this.#carryOut(step)).expected;
  }

  /** Where a deletion told peers, what it makes room for comes before the next deletion, which has to wait. */
  async #carryOut(step: Step): Promise<{ readonly expected: boolean; readonly werePeersTold: boolean }> {
    const { table, clock, removalsSent } = this.#options;
    if (step.kind !== "delete") return { expected: await table.execute(step), werePeersTold: false };
    const before = removalsSent();
    const expected = await table.execute(step);
    const werePeersTold = before === undefined || removalsSent() !== before;
    if (werePeersTold) this.#deletionDue = clock.now() + REMOVAL_SPACING;
    return { expected, werePeersTold };
  }

  #taskOf(step: Step): EndpointTask {
    const { id, address, port, ifIndex, flags } = step.endpoint;
    const name = this.#options.interfaceName(ifIndex);
    const wanted = step.kind === "change" ? step.flags : flags;
    // The kernel or the plan may choose another id at each attempt.
    const named = step.kind === "add" ? { ...step.endpoint, id: 0 } : { ...step.endpoint, flags: wanted };
    return {
      key: `${address} ${port} ${ifIndex}`,
      revision: `${step.kind} ${wanted.value}`,
      what: `${step.kind} ${describeEndpoint(named, name)}`,
      fields: { ENDPOINT_ID: id, ADDRESS: address, INTERFACE: name },
      step,
    };
  }
}

interface SettlingOptions {
  readonly clock: Clock;
  /** The interfaces on which the kernel looks for a neighbour's link address at the moment. */
  readonly resolving: () => Promise<ReadonlySet<number>>;
  /** Whether an address was an endpoint of ours before. */
  readonly wasEndpoint: (address: string) => boolean;
}

/**
 * Milliseconds: longer than the kernel looks for a neighbour, which is three times a second (arp(7), mcast_solicit and
 * retrans_time_ms).
 */
const LONGEST_SETTLING = 3500;

/**
 * Holds back endpoints that open subflows, and whose link has just come back. While the link was down, the kernel began
 * to look for neighbours, if only for the resets of subflows that were closed. When such a look-up fails, all that
 * waits for it fails (EHOSTUNREACH), the first packets of new subflows included; and the kernel opens the subflows of
 * an endpoint once only. So the endpoint waits until the look-up is over, which takes a second at most once the link is
 * up.
 */
class Settling {
  readonly #options: SettlingOptions;
  /** By address: since when it has waited. */
  readonly #since = new Map<string, number>();

  constructor(options: SettlingOptions) {
    this.#options = options;
  }

  /** The steps of a plan that have to wait. */
  async waiting(steps: readonly Step[]): Promise<ReadonlySet<Step>> {
    const { clock, resolving, wasEndpoint } = this.#options;
    const returning = steps.filter(
      ({ kind, endpoint }) =>
        kind === "add" &&
        (endpoint.flags.has("subflow") || endpoint.flags.has("fullmesh")) &&
        wasEndpoint(endpoint.address),
    );
    const addresses = new Set(returning.map(({ endpoint }) => endpoint.address));
    for (const address of this.#since.keys()) if (!addresses.has(address)) this.#since.delete(address);
    if (returning.length === 0) return new Set();
    // Where nobody can tell, nothing waits.
    const busy = await resolving().catch(() => new Set<number>());
    const now = clock.now();
    return new Set(
      returning.filter(({ endpoint: { address, ifIndex } }) => {
        if (!busy.has(ifIndex)) return false;
        const since = this.#since.get(address) ?? now;
        this.#since.set(address, since);
        return now - since < LONGEST_SETTLING;
      }),
    );
  }
}
