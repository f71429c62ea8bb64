import type { Clock, Timer } from "../../base/clock.ts";
import {
  type CloseReason,
  type Connection,
  type ConnectionChange,
  ConnectionClosedError,
  ConnectionError,
  type Subflow,
} from "./connection.ts";

/**
 * Requested subflows, until the kernel tells their outcome; also those that nobody waits for any more.
 */
export class SubflowRequests {
  readonly #clock: Clock;
  readonly #pending = new Map<Connection, Map<Subflow, Pending>>();
  /**
   * Signals of requests, and whether they are aborted, which takes a signal microseconds to say. One listener for all
   * requests of a signal, and one timer for all deadlines: somebody waits while a subflow is asked for.
   */
  readonly #signals = new WeakMap<AbortSignal, boolean>();
  #alarm: { readonly due: number; readonly timer: Timer } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ends the requests of a signal with it. @throws its reason, if it is aborted */
  watch(signal: AbortSignal): void {
    const isAborted = this.#signals.get(signal);
    if (isAborted === false) return;
    if (isAborted) throw signal.reason;
    signal.throwIfAborted();
    this.#signals.set(signal, false);
    const abort = (): void => {
      this.#signals.set(signal, true);
      for (const pending of this.#all()) if (pending.signal === signal) giveUp(pending, signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
  }

  /**
   * Settles when the subflow does: rejects with a ConnectionError when it is refused or reset (the code of its error),
   * when the connection ends first (ECONNABORTED), when nothing is heard for so long (ETIMEDOUT), or with the reason of
   * the signal.
   *
   * @param deadline in milliseconds
   */
  wait(request: {
    /** Completes "cannot …", for an error. */
    readonly what: () => string;
    readonly connection: Connection;
    readonly subflow: Subflow;
    readonly deadline: number;
    readonly signal: AbortSignal | undefined;
  }): Promise<void> {
    const { connection, subflow, deadline, signal } = request;
    const due = this.#clock.now() + deadline;
    return new Promise((resolve, reject) => {
      if (signal !== undefined) this.watch(signal);
      const own = this.#pending.get(connection) ?? new Map<Subflow, Pending>();
      this.#pending.set(connection, own.set(subflow, { ...request, due, resolve, reject }));
      this.#wake(due);
    });
  }

  /** No answer will come: the kernel was not asked, or has nothing more to tell. */
  forget(connection: Connection, subflow: Subflow, error: unknown): void {
    const own = this.#pending.get(connection);
    if (error === undefined) own?.get(subflow)?.resolve();
    else own?.get(subflow)?.reject(error);
    own?.delete(subflow);
    if (own?.size === 0) this.#pending.delete(connection);
  }

  /** @returns whether the change is a failed request: it only concerns the requester, who may have given up */
  noticed(change: ConnectionChange): boolean {
    const { connection } = change;
    const own = this.#pending.get(connection);
    if (own === undefined) return false;
    if (change.type === "newSubflow") this.forget(connection, change.subflow, undefined);
    if (change.type === "connectionClosed")
      for (const [subflow, { what }] of own)
        this.forget(
          connection,
          subflow,
          new ConnectionClosedError(what(), "ECONNABORTED", "the connection was closed"),
        );
    if (change.type !== "subflowClosed") return false;
    const pending = own.get(change.subflow);
    if (pending === undefined) return false;
    this.forget(connection, change.subflow, refusal(pending.what(), change.reason));
    return true;
  }

  *#all(): Generator<Pending> {
    for (const own of this.#pending.values()) yield* own.values();
  }

  /** A request that settles before its deadline does not touch the timer. */
  #wake(due: number): void {
    if (this.#alarm !== undefined && this.#alarm.due <= due) return;
    this.#alarm?.timer.cancel();
    const timer = this.#clock.schedule(Math.max(due - this.#clock.now(), 0), () => this.#expire());
    this.#alarm = { due, timer };
  }

  #expire(): void {
    this.#alarm = undefined;
    const now = this.#clock.now();
    let next = Number.POSITIVE_INFINITY;
    for (const pending of this.#all()) {
      const { due, what, deadline } = pending;
      if (due > now) next = Math.min(next, due);
      else
        giveUp(
          pending,
          new ConnectionError(what(), "ETIMEDOUT", `the peer did not answer in ${deadline} ms`),
        );
    }
    if (next < Number.POSITIVE_INFINITY) this.#wake(next);
  }
}

function giveUp(pending: Pending, reason: unknown): void {
  pending.due = Number.POSITIVE_INFINITY;
  pending.reject(reason);
}

interface Pending {
  readonly what: () => string;
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
  /** The time of the deadline; Infinity: nobody waits any more. */
  due: number;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

function refusal(what: string, { code = "ECONNRESET", resetReason }: CloseReason): ConnectionError {
  const words = code === "ECONNREFUSED" ? "the peer refuses" : "it was closed before it was established";
  const reset = resetReason === undefined ? undefined : resetReasons[resetReason];
  return new ConnectionError(what, code, reset === undefined ? words : `${words}: ${reset}`);
}

/** MPTCP_RST_* (RFC 8684, 3.6); 0 is "unspecified". */
const resetReasons: Readonly<Record<number, string>> = {
  1: "MPTCP-specific error",
  2: "lack of resources",
  3: "administratively prohibited",
  4: "too much outstanding data",
  5: "unacceptable performance",
  6: "middlebox interference",
};
