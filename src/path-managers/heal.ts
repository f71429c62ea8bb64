import {
  type CloseReason,
  type Connection,
  definePathManager,
  option,
  type PathManager,
  type Subflow,
} from "mptcpd";
import * as v from "valibot";

interface Options {
  readonly delay: number;
  readonly "longest-delay": number;
  readonly budget: number;
}

/**
 * A subflow that was lost by an error (a reset, a timeout, a NAT that forgot it) comes back: after a delay that doubles with
 * each failure, and so many times only. What was closed in good order stays closed.
 *
 * It works beside other path managers, and with the kernel's own: that makes a lost subflow again only when its endpoint is
 * deleted and added, which ends every subflow of the endpoint. So there it is done only while no connection has one.
 */
export default definePathManager({
  name: "heal",
  description: "lost subflows come back",
  needs: "any",
  options: v.object({
    /** Seconds before the first attempt, and at most before a later one. */
    delay: v.optional(option.seconds, "1"),
    "longest-delay": v.optional(option.seconds, "60"),
    /** Attempts for one path of a connection; the count begins anew when a subflow there has lived for a minute. */
    budget: v.optional(option.integer(1, 1000), "10"),
  }),
  setup(pm) {
    const healer = new Healer(pm);
    return {
      subflowClosed: (connection, subflow, reason) => healer.lost(connection, subflow, reason),
      connectionClosed: (connection) => healer.forget(connection),
    };
  },
});

/** Milliseconds after which a subflow has proven itself. */
const PROVEN = 60_000;

class Healer {
  readonly #pm: PathManager<Options>;
  readonly #attempts = new Map<Connection, Map<string, number>>();
  /** By address: when its endpoint was made anew last, and after which delay that may be again. */
  readonly #endpoints = new Map<string, { readonly at: number; readonly wait: number }>();

  constructor(pm: PathManager<Options>) {
    this.#pm = pm;
  }

  forget(connection: Connection): void {
    this.#attempts.delete(connection);
  }

  lost(connection: Connection, subflow: Subflow, { error }: CloseReason): void {
    // Who accepted a subflow cannot make it again: its peer can.
    if (error !== undefined && connection.serverSide === false) this.#tryLater(connection, subflow);
  }

  #tryLater(connection: Connection, subflow: Subflow): void {
    const path = pathOf(subflow);
    const attempts = this.#attempts.get(connection) ?? new Map<string, number>();
    const count = (attempts.get(path) ?? 0) + 1;
    this.#attempts.set(connection, attempts.set(path, count));
    const { budget, delay, "longest-delay": longest } = this.#pm.options;
    if (count > budget) this.#pm.log.warning(`${path} is given up: ${budget} attempts have failed`);
    else this.#pm.after(Math.min(delay * 2 ** (count - 1), longest), () => this.#heal(connection, subflow));
  }

  async #heal(connection: Connection, subflow: Subflow): Promise<void> {
    const path = pathOf(subflow);
    if (connection.state !== "established" || connection.subflows.some((other) => pathOf(other) === path))
      return;
    const { local, remote, localBackup: backup } = subflow;
    try {
      if (connection.pathManager === "kernel") return await this.#renewEndpoint(local.address);
      const healed = await this.#pm.createSubflow(connection, { from: local.address, to: remote, backup });
      this.#pm.log.info(`${path} is back`);
      this.#pm.after(PROVEN, () => {
        if (healed.state === "established") this.#attempts.get(connection)?.delete(path);
      });
    } catch (error) {
      this.#pm.log.info(error instanceof Error ? error.message : String(error));
      if (connection.state === "established") this.#tryLater(connection, subflow);
    }
  }

  /** Lets the kernel's path manager try an address again, for all connections. */
  async #renewEndpoint(address: string): Promise<void> {
    const { delay, "longest-delay": longest } = this.#pm.options;
    const { at, wait } = this.#endpoints.get(address) ?? { at: Number.NEGATIVE_INFINITY, wait: delay };
    if (
      this.#pm.now() - at < wait ||
      [...this.#pm.connections].some((connection) => connection.uses(address))
    )
      return;
    const endpoint = (await this.#pm.endpoints.list()).find((one) => one.address === address);
    if (endpoint === undefined || !endpoint.flags.has("subflow")) return;
    this.#endpoints.set(address, { at: this.#pm.now(), wait: Math.min(2 * wait, longest) });
    const { id, port, flags } = endpoint;
    await this.#pm.endpoints.remove(id);
    await this.#pm.endpoints.add({ address, id, flags: flags.names, ...(port !== 0 && { port }) });
    this.#pm.log.info(`the kernel tries ${address} again, by endpoint ${id}`);
  }
}

function pathOf({ local, remote }: Subflow): string {
  return `${local.address} > ${remote.address} port ${remote.port}`;
}
