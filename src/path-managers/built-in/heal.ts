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

/** Milliseconds: with less, or none, attempts would follow each other without a pause. */
const SHORTEST = 100;
const pause = v.pipe(option.seconds, v.minValue(SHORTEST, "is too short: allowed are 0.1 seconds and more"));

/**
 * A subflow that was lost by an error (a reset, a timeout, a NAT that forgot it) comes back: after a delay that doubles
 * with each failure, and so many times only. What was closed in good order stays closed.
 *
 * It works beside other path managers, and with the kernel's own: that makes a lost subflow again only when its
 * endpoint is deleted and added, which ends every subflow of the endpoint. So there it is done only while no connection
 * has one, for all connections at once, and only to endpoints that mptcpd has made.
 */
export default definePathManager({
  name: "heal",
  description: "lost subflows come back",
  needs: "any",
  options: v.object({
    /** Seconds before the first attempt, and at most before a later one. */
    delay: v.optional(pause, "1"),
    "longest-delay": v.optional(pause, "60"),
    /** Attempts for one path of a connection; the count begins anew when a subflow there has lived for a minute. */
    budget: v.optional(option.integer(1, 1000), "10"),
  }),
  setup(pm) {
    const healer = new Healer(pm);
    return {
      subflowClosed: (connection, subflow, reason) => healer.subflowClosed(connection, subflow, reason),
      connectionClosed: (connection) => healer.forget(connection),
    };
  },
});

interface Renewal {
  readonly at: number;
  readonly wait: number;
}

/** Milliseconds after which a subflow has proven itself. */
const SUBFLOW_PROVEN = 60_000;

/** A path of a connection that was lost. */
interface Patient {
  /** For the next delay, which doubles. */
  failures: number;
  /** Attempts that are left. */
  left: number;
  isWaiting: boolean;
}

class Healer {
  readonly #pm: PathManager<Options>;
  readonly #patients = new Map<Connection, Map<string, Patient>>();
  /** By address: when its endpoint was made anew last, and after which delay that may be again. */
  readonly #renewals = new Map<string, Renewal>();

  constructor(pm: PathManager<Options>) {
    this.#pm = pm;
  }

  forget(connection: Connection): void {
    this.#patients.delete(connection);
  }

  subflowClosed(connection: Connection, subflow: Subflow, { error }: CloseReason): void {
    // Who accepted a subflow cannot make it again: its peer can.
    if (error !== undefined && connection.serverSide === false) this.#tryLater(connection, subflow);
  }

  #tryLater(connection: Connection, subflow: Subflow): void {
    const { budget, delay, "longest-delay": longest } = this.#pm.options;
    const path = pathOf(subflow);
    const patients = this.#patients.get(connection) ?? new Map<string, Patient>();
    const patient = patients.get(path) ?? { failures: 0, left: budget, isWaiting: false };
    this.#patients.set(connection, patients.set(path, patient));
    if (patient.isWaiting) return;
    if (patient.left === 0) {
      this.#pm.log.warning(`${path} is given up after ${budget} attempts`);
      return;
    }
    patient.isWaiting = true;
    patient.left--;
    this.#pm.after(Math.min(delay * 2 ** patient.failures++, longest), () => {
      patient.isWaiting = false;
      return this.#heal(connection, subflow, patient);
    });
  }

  async #heal(connection: Connection, subflow: Subflow, patient: Patient): Promise<void> {
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
    // While others use the address nothing is tried: that is no attempt.
    if (isKernels(connection) && this.#isUsed(local.address)) patient.left++;
    else if (isKernels(connection)) await this.#renewEndpoint(local.address);
    if (connection.state === "established") this.#tryLater(connection, subflow);
  }

  /** Attempts are counted anew after a subflow that has lived for long. */
  #follow(connection: Connection, subflow: Subflow): void {
    this.#pm.after(SUBFLOW_PROVEN, () => {
      if (subflow.state === "established") this.#patients.get(connection)?.delete(pathOf(subflow));
    });
  }

  /** Whether the kernel's path manager has a subflow from an address, which would end if the endpoint was deleted. */
  #isUsed(address: string): boolean {
    // What is connecting was asked for here, and is about to be refused: the kernel's own is known when it is
    // established.
    const isFrom = ({ state, local }: Subflow): boolean =>
      state === "established" && local.address === address;
    return [...this.#pm.connections].some(
      ({ pathManager, subflows }) => pathManager !== "userspace" && subflows.some(isFrom),
    );
  }

  /** Lets the kernel's path manager try an address again, for all connections at once; not oftener than that is due. */
  async #renewEndpoint(address: string): Promise<void> {
    const pm = this.#pm;
    if (!this.#isDue(address)) return;
    try {
      await pm.endpoints.renew(address);
      pm.log.info(`the kernel tries ${address} again`);
    } catch (error) {
      logRefusal(pm)(error);
    }
  }

  /**
   * Whether an endpoint may be renewed now; then it is taken for done. Nothing is awaited in between: when a path is
   * lost, all of its connections ask in one turn of the event loop.
   */
  #isDue(address: string): boolean {
    const { delay, "longest-delay": longest } = this.#pm.options;
    const now = this.#pm.now();
    for (const [other, { at, wait }] of this.#renewals)
      if (now - at > wait + SUBFLOW_PROVEN) this.#renewals.delete(other);
    const last = this.#renewals.get(address);
    if (last !== undefined && now - last.at < last.wait) return false;
    const wait = last === undefined ? Math.min(delay, longest) : Math.min(2 * last.wait, longest);
    this.#renewals.set(address, { at: now, wait });
    return true;
  }
}

function isKernels({ pathManager }: Connection): boolean {
  return pathManager === "kernel";
}

function pathOf({ local, remote }: Subflow): string {
  return `${local.address} > ${remote.address} port ${remote.port}`;
}
