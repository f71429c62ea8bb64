import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Fields, Logger } from "../../base/log/log.ts";
import { waitAfter } from "../../base/retries.ts";
import { KernelError, NetlinkError } from "../../kernel/netlink/errors.ts";
import type { Refusal } from "../policy/decision.ts";
import type { Step } from "./plan.ts";

/** One task that may fail, independently of all others. */
export interface Task {
  /** Identifies the task. */
  readonly key: string;
  /** The wanted result. If it changes, an earlier failure no longer counts. */
  readonly revision: string;
  /** As in "cannot ...": "add endpoint 10.0.0.1 dev eth0 subflow". */
  readonly what: string;
  readonly fields: Fields;
}

/** A step towards the decision about an endpoint. */
export interface EndpointTask extends Task {
  readonly step: Step;
}

/** The last failure of a task. */
export interface Failure<T extends Task> {
  readonly task: T;
  /** "EPERM". */
  readonly code: string;
  /** The kernel's words. */
  readonly words: string;
  /** Failed attempts since the last success. */
  readonly attempts: number;
  /** When the next attempt is due, by the clock. */
  readonly due: number;
}

/**
 * Remembers for each task whether it failed, why, how often, and when it is tried again. A failure does not affect
 * other tasks. Each change is logged once: a failure, a failure for another reason, and the success after it.
 *
 * The model is the reconciler of cilium/statedb (reconciler/retries.go), which keeps status, error and retry for each
 * object.
 */
export class Outcomes<T extends Task = Task> {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #failures = new Map<string, Failure<T>>();

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  get failures(): readonly Failure<T>[] {
    return [...this.#failures.values()];
  }

  /** Whether a task may be tried now. */
  isDue(task: Pick<T, "key" | "revision">): boolean {
    if (this.#failures.size === 0) return true;
    const failure = this.#failures.get(task.key);
    return failure?.task.revision !== task.revision || failure.due <= this.#clock.now();
  }

  fail(task: T, error: unknown): void {
    const { code, words, message } = explainFailure(task.what, error);
    const last = this.#failures.get(task.key);
    const isSame = last?.task.revision === task.revision;
    const attempts = (isSame ? last.attempts : 0) + 1;
    const wait = waitAfter(attempts);
    this.#failures.set(task.key, { task, code, words, attempts, due: this.#clock.now() + wait });
    if (isSame && last.words === words)
      this.#log.debug(`${message}; trying again in ${wait} ms`, task.fields);
    else this.#log.error(`${message}; trying again until it works`, task.fields);
  }

  succeed(task: T): void {
    if (this.#failures.size === 0) return;
    const { key, revision, what, fields } = task;
    const failure = this.#failures.get(key);
    if (failure === undefined) return;
    this.#failures.delete(key);
    const attempt = failure.task.revision === revision ? ` at attempt ${failure.attempts + 1}` : "";
    this.#log.notice(`${what}: worked${attempt}`, fields);
  }

  /** Forgets the failures of all other tasks, which are no longer needed. */
  retain(tasks: readonly Pick<T, "key">[]): void {
    if (this.#failures.size === 0) return;
    const keys = new Set(tasks.map(({ key }) => key));
    for (const [key, { task }] of this.#failures) {
      if (keys.has(key)) continue;
      this.#failures.delete(key);
      this.#log.notice(`${task.what}: no longer needed, not tried again`, task.fields);
    }
  }

  /** Makes all tasks due now, because the cause of failures may be gone. */
  retryNow(): void {
    const due = this.#clock.now();
    for (const [key, failure] of this.#failures) this.#failures.set(key, { ...failure, due });
  }

  /**
   * Milliseconds until the next attempt of any task is due; undefined: no task waits for its time. An overdue task
   * waits for something else.
   */
  nextDue(): number | undefined {
    if (this.#failures.size === 0) return undefined;
    const now = this.#clock.now();
    const waits = this.failures.map(({ due }) => Math.ceil(due - now)).filter((wait) => wait > 0);
    return waits.length === 0 ? undefined : Math.min(...waits);
  }
}

/** Describes a failed command: in the kernel's words, and together with what was attempted. */
export function explainFailure(
  what: string,
  error: unknown,
): { readonly code: string; readonly words: string; readonly message: string } {
  if (error instanceof KernelError) {
    const { code, reason } = error;
    return { code, words: reason, message: `cannot ${what}: ${reason}` };
  }
  const message = messageOf(error);
  return { code: error instanceof NetlinkError ? error.code : "EIO", words: message, message };
}

export interface RefusalsOptions {
  readonly clock: Clock;
  /**
   * Milliseconds since the epoch: readers of the published time of a retry share no other clock with us.
   */
  readonly wallClock: () => number;
  /** Called with all refusals whenever one of them changes. */
  readonly onRefusals?: ((refusals: readonly Refusal[]) => void) | undefined;
}

/** Publishes the commands that failed and are tried again. */
export class Refusals {
  readonly #options: RefusalsOptions;
  #current: readonly Refusal[] = [];

  constructor(options: RefusalsOptions) {
    this.#options = options;
  }

  get current(): readonly Refusal[] {
    return this.#current;
  }

  update(failures: readonly Failure<EndpointTask>[]): void {
    if (failures.length === 0 && this.#current.length === 0) return;
    const { onRefusals } = this.#options;
    const refusals = failures.map((failure) => this.#refusalOf(failure));
    if (refusals.length === this.#current.length && refusals.every((one, i) => isSame(one, this.#current[i])))
      return;
    this.#current = refusals;
    onRefusals?.(refusals);
  }

  #refusalOf({ task, code, words, attempts, due }: Failure<EndpointTask>): Refusal {
    const { clock, wallClock } = this.#options;
    const { kind: action, endpoint } = task.step;
    const retryAt = Math.round(wallClock() + due - clock.now());
    return { action, address: endpoint.address, ifIndex: endpoint.ifIndex, code, words, attempts, retryAt };
  }
}

/** The time of the next attempt follows from the number of attempts. */
function isSame(one: Refusal, other: Refusal | undefined): boolean {
  return (
    other !== undefined &&
    one.address === other.address &&
    one.ifIndex === other.ifIndex &&
    one.action === other.action &&
    one.words === other.words &&
    one.attempts === other.attempts
  );
}
