import {
  type CloseReason,
  type Connection,
  definePathManager,
  logRefusal,
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

/** A path of a connection that was lost. */
interface Patient {
  attempts: number;
  isWaiting: boolean;
}

class Healer {
  readonly #pm: PathManager<Options>;
  readonly #patients = new Map<Connection, Map<string, Patient>>();
  /** By address: when its endpoint was made anew last, and after which delay that may be again. */
  readonly #renewals = new Map<string, { readonly at: number; readonly wait: number }>();

  constructor(pm: PathManager<Options>) {
    this.#pm = pm;
  }

  forget(connection: Connection): void {
    this.#patients.delete(connection);
  }

  lost(connection: Connection, subflow: Subflow, { error }: CloseReason): void {
    // Who accepted a subflow cannot make it again: its peer can.
    if (error !== undefined && connection.serverSide === false) this.#tryLater(connection, subflow);
  }

  #tryLater(connection: Connection, subflow: Subflow): void {
    const path = pathOf(subflow);
    const patients = this.#patients.get(connection) ?? new Map<string, Patient>();
    const patient = patients.get(path) ?? { attempts: 0, isWaiting: false };
    this.#patients.set(connection, patients.set(path, patient));
    if (patient.isWaiting) return;
    const { budget, delay, "longest-delay": longest } = this.#pm.options;
    if (patient.attempts === budget) {
      this.#pm.log.warning(`${path} is given up after ${budget} attempts`);
      return;
    }
    patient.isWaiting = true;
    this.#pm.after(Math.min(delay * 2 ** patient.attempts++, longest), () => {
      patient.isWaiting = false;
      return this.#heal(connection, subflow);
    });
  }

  async #heal(connection: Connection, subflow: Subflow): Promise<void> {
    if (connection.state !== "established") return;
    const path = pathOf(subflow);
    const there = connection.subflows.find((other) => pathOf(other) === path);
    if (there !== undefined) return this.#follow(connection, there);
    const { local, remote, localBackup: backup } = subflow;
    if (!isKernels(connection))
      try {
        const healed = await this.#pm.createSubflow(connection, { from: local.address, to: remote, backup });
        this.#pm.log.info(`${path} is back`);
        return this.#follow(connection, healed);
      } catch (error) {
        // Only by a refused command it comes out who manages a connection.
        if (!isKernels(connection)) logRefusal(this.#pm)(error);
      }
    if (isKernels(connection)) await this.#renewEndpoint(local.address);
    if (connection.state === "established") this.#tryLater(connection, subflow);
  }

  /** Attempts are counted anew after a subflow that has lived for long. */
  #follow(connection: Connection, subflow: Subflow): void {
    this.#pm.after(PROVEN, () => {
      if (subflow.state === "established") this.#patients.get(connection)?.delete(pathOf(subflow));
    });
  }

  /** Lets the kernel's path manager try an address again, for all connections; not where it would cost one a subflow. */
  async #renewEndpoint(address: string): Promise<void> {
    const pm = this.#pm;
    const { delay, "longest-delay": longest } = pm.options;
    const { at, wait } = this.#renewals.get(address) ?? { at: Number.NEGATIVE_INFINITY, wait: delay };
    const rest = pm.now() - at;
    if (rest < wait) return;
    const endpoint = (await pm.endpoints.list()).find((one) => one.address === address);
    const isUsed = [...pm.connections].some(
      (connection) => connection.pathManager !== "userspace" && connection.uses(address),
    );
    if (endpoint === undefined || !endpoint.flags.has("subflow") || isUsed) return;
    this.#renewals.set(address, {
      at: pm.now(),
      wait: rest > wait + PROVEN ? delay : Math.min(2 * wait, longest),
    });
    const { id, flags, ifIndex } = endpoint;
    await pm.endpoints.remove(id);
    await pm.endpoints.add({ address, id, flags: flags.names, ifIndex });
    pm.log.info(`the kernel tries ${address} again, by endpoint ${id}`);
  }
}

function isKernels({ pathManager }: Connection): boolean {
  return pathManager === "kernel";
}

function pathOf({ local, remote }: Subflow): string {
  return `${local.address} > ${remote.address} port ${remote.port}`;
}
