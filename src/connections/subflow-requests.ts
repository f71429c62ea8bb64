import type { Clock } from "../endpoints/clock.ts";
import type { CloseReason, Connection, ConnectionChange, Subflow } from "./connection.ts";
import { ConnectionError } from "./errors.ts";

/** Subflows that were asked for, until the kernel says what became of them; also those that nobody waits for any more. */
export class SubflowRequests {
  readonly #clock: Clock;
  readonly #pending = new Map<Connection, Map<Subflow, Pending>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Settles when the subflow does: rejects with a ConnectionError when it is refused or reset (the code of its error),
   * when the connection ends first (ECONNABORTED), when nothing is heard for so long (ETIMEDOUT), or with the reason of
   * the signal.
   *
   * @param deadline in milliseconds
   */
  wait(request: {
    readonly what: string;
    readonly connection: Connection;
    readonly subflow: Subflow;
    readonly deadline: number;
    readonly signal: AbortSignal | undefined;
  }): Promise<void> {
    const { what, connection, subflow, deadline, signal } = request;
    return new Promise((resolve, reject) => {
      const expire = (): void =>
        settle(new ConnectionError(what, "ETIMEDOUT", `the peer did not answer in ${deadline} ms`));
      const abort = (): void => settle(signal?.reason);
      const timer = this.#clock.schedule(deadline, expire);
      const settle = (error?: unknown): void => {
        timer.cancel();
        signal?.removeEventListener("abort", abort);
        if (error === undefined) resolve();
        else reject(error);
      };
      const own = this.#pending.get(connection) ?? new Map<Subflow, Pending>();
      this.#pending.set(connection, own.set(subflow, { what, settle }));
      signal?.addEventListener("abort", abort);
      if (signal?.aborted) abort();
    });
  }

  /** No answer will come, as the kernel was not asked, or has nothing more to tell. */
  forget(connection: Connection, subflow: Subflow, error: unknown): void {
    const own = this.#pending.get(connection);
    own?.get(subflow)?.settle(error);
    own?.delete(subflow);
    if (own?.size === 0) this.#pending.delete(connection);
  }

  /** @returns whether the change is a request that failed: that only concerns who asked, and has perhaps given up */
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
          new ConnectionError(what, "ECONNABORTED", "the connection was closed"),
        );
    if (change.type !== "subflowClosed") return false;
    const pending = own.get(change.subflow);
    if (pending === undefined) return false;
    this.forget(connection, change.subflow, refusal(pending.what, change.reason));
    return true;
  }
}

interface Pending {
  readonly what: string;
  readonly settle: (error?: unknown) => void;
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
