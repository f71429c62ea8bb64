import { type Connection, type Subflow, takesCommands } from "../../control/connections/connection.ts";
import type { CreateSubflowOptions, Handlers, PathManager } from "../runtime/api.ts";
import { logRefusal } from "../runtime/refusals.ts";
import { isMeant, keyOf, reaches } from "../runtime/requested-subflows.ts";

export interface SubflowsWanted {
  /**
   * Which subflows a connection should have, the most important first. One that is there already does for a request if
   * it goes from the address, or from any address of the interface, and to the address and port, if the request says
   * one.
   */
  wanted(connection: Connection): Iterable<CreateSubflowOptions>;
  /** How many a connection may have, the initial one included; those whose address is gone do not count. */
  readonly most?: number;
  /** Looks at each connection after whatever has changed: the connection itself, its subflows or the network. */
  changed?(connection: Connection): void;
}

export type SubflowsKept = Required<
  Pick<
    Handlers,
    | "connectionEstablished"
    | "newAddress"
    | "newSubflow"
    | "subflowClosed"
    | "newInterface"
    | "updateInterface"
    | "deleteInterface"
    | "newLocalAddress"
    | "deleteLocalAddress"
  >
>;

/**
 * Handlers that keep the subflows of connections that this host has made as they are wanted, by comparing what is
 * wanted with what is there: when a connection is established, when its peer announces an address, and whenever the
 * network has changed. Then each subflow that is missing is asked for, once: one that is lost or refused waits for the
 * next occasion.
 *
 * A subflow whose address no working interface has any more is withdrawn, `removal-delay` after that (with whatever
 * else is gone), and not before the connection has another one, established, from an address that is there: while it is
 * the last, it may live on as TCP would.
 */
export function keepSubflows(pm: PathManager, plan: SubflowsWanted): SubflowsKept {
  const keeper = new SubflowKeeper(pm, plan);
  const networkChanged = (): void => keeper.networkChanged();
  return {
    connectionEstablished: (connection) => keeper.begin(connection),
    newAddress: (connection) => keeper.compare(connection),
    newSubflow: (connection) => keeper.look(connection),
    subflowClosed: (connection) => keeper.look(connection),
    newInterface: networkChanged,
    updateInterface: networkChanged,
    deleteInterface: networkChanged,
    newLocalAddress: networkChanged,
    deleteLocalAddress: networkChanged,
  };
}

/** Those that went within the last twentieth of the delay end together: within 100 ms if it is 2 s. */
const TOGETHER = 1 / 20;

class SubflowKeeper {
  readonly #pm: PathManager;
  readonly #plan: SubflowsWanted;
  /** Those that this path manager was told of: others are another one's. */
  readonly #own = new WeakSet<Connection>();
  /** Requests that are under way, from before the kernel knows: a connection may be compared again at any time. */
  readonly #asking = new WeakMap<Connection, Set<string>>();
  /** What there was no room for, or is being tried already. */
  readonly #waiting = new WeakMap<Connection, CreateSubflowOptions[]>();
  /** Addresses that connections use and no working interface has, and since when. */
  readonly #unassigned = new Map<string, number>();
  readonly #ending = new WeakSet<Subflow>();
  #network: PathManager["network"] | undefined;

  constructor(pm: PathManager, plan: SubflowsWanted) {
    this.#pm = pm;
    this.#plan = plan;
  }

  begin(connection: Connection): void {
    this.#own.add(connection);
    this.compare(connection);
  }

  networkChanged(): void {
    const { network } = this.#pm;
    // Each change of several that come at once is told, when all have taken place.
    if (network === this.#network) return;
    this.#network = network;
    for (const address of this.#unassigned.keys())
      if (network.assigned.has(address)) this.#unassigned.delete(address);
    const connections = this.#all();
    for (const connection of connections) this.compare(connection);
    for (const address of this.#unassigned.keys())
      if (!connections.some((connection) => connection.uses(address))) this.#unassigned.delete(address);
  }

  /** Asks for what is missing, and looks. */
  compare(connection: Connection): void {
    if (takesCommands(connection) && connection.serverSide === false) {
      const requests = [...this.#plan.wanted(connection)];
      this.#create(
        connection,
        requests.filter((request) => reaches(connection, request)),
      );
    }
    this.look(connection);
  }

  /** Ends what is of no use any more. */
  look(connection: Connection): void {
    if (!takesCommands(connection)) return;
    // The server could not make it again, should the address come back.
    if (connection.serverSide === false) this.#endUnassigned(connection);
    this.#plan.changed?.(connection);
  }

  #create(connection: Connection, requests: readonly CreateSubflowOptions[]): void {
    const { most = Number.POSITIVE_INFINITY } = this.#plan;
    const asking = this.#asking.get(connection) ?? new Set<string>();
    this.#asking.set(connection, asking);
    const missing = requests.filter((request) => !this.#has(connection, request, "established"));
    const waiting = missing.filter((request) => {
      // It was begun for an earlier occasion, and is begun again for this one should it fail.
      if (this.#has(connection, request, "connecting") || asking.has(keyOf(request))) return true;
      if (this.#count(connection) >= most) return true;
      asking.add(keyOf(request));
      const asked = this.#pm.createSubflow(connection, request).finally(() => asking.delete(keyOf(request)));
      asked.catch((error) => {
        logRefusal(this.#pm)(error);
        // The kernel may take its time to end it.
        for (const subflow of connection.subflows)
          if (subflow.state === "connecting" && isMeant(subflow, request, connection.remote))
            this.#ending.add(subflow);
        this.#fill(connection);
      });
      return false;
    });
    if (waiting.length > 0) this.#waiting.set(connection, waiting);
    else this.#waiting.delete(connection);
  }

  /** Gives the place of an attempt that has failed to what waits for one. */
  #fill(connection: Connection): void {
    const waiting = this.#waiting.get(connection);
    if (waiting !== undefined && takesCommands(connection)) this.#create(connection, waiting);
  }

  #endUnassigned(connection: Connection): void {
    const { assigned } = this.#pm.network;
    if (connection.subflows.every(({ local }) => assigned.has(local.address))) return;
    const [unassigned, there] = [new Set<string>(), { isEstablished: false }];
    for (const { local, state } of connection.subflows)
      if (!assigned.has(local.address)) unassigned.add(local.address);
      else if (state === "established") there.isEstablished = true;
    const over = new Set([...unassigned].filter((address) => this.#isOver(address)));
    if (over.size > 0 && there.isEstablished) void this.#end(connection, over);
  }

  /** Whether an address has been unassigned for long enough. */
  #isOver(address: string): boolean {
    const { removalDelay } = this.#pm;
    const now = this.#pm.now();
    const since = this.#unassigned.get(address);
    if (since !== undefined) return now - since >= removalDelay * (1 - TOGETHER);
    this.#unassigned.set(address, now);
    if (removalDelay === 0) return true;
    this.#pm.after(removalDelay, () => {
      for (const connection of this.#all()) if (connection.uses(address)) this.look(connection);
    });
    return false;
  }

  /** The peer has to hear of it by other subflows: these can tell it nothing. */
  async #end(connection: Connection, unassigned: ReadonlySet<string>): Promise<void> {
    const subflows = connection.subflows.filter(
      (subflow) => unassigned.has(subflow.local.address) && !this.#ending.has(subflow),
    );
    if (subflows.length === 0) return;
    for (const subflow of subflows) this.#ending.add(subflow);
    // First that of id 0, which can be withdrawn only while it has a subflow.
    const addresses = [...new Set(subflows.map(({ local }) => local.address))].toSorted(
      (a, b) => Number(b === connection.local.address) - Number(a === connection.local.address),
    );
    const carrier = connection.subflows.find(({ state }) => state === "established");
    // A REMOVE_ADDR leaves by the first subflow of another address, and is lost where that is one of these.
    if (carrier !== undefined && unassigned.has(carrier.local.address))
      await this.#settled(
        subflows
          .filter(({ local }) => local.address !== addresses[0])
          .map((subflow) => this.#pm.destroySubflow(connection, subflow)),
      );
    await this.#settled(addresses.map((address) => this.#pm.withdraw(connection, address)));
    // The peer may have had no room for what has come in the meantime.
    this.compare(connection);
  }

  /** What is refused is over already. */
  async #settled(commands: readonly Promise<void>[]): Promise<void> {
    await Promise.all(commands.map((command) => command.catch(logRefusal(this.#pm))));
  }

  /** Whether a subflow in such a state does for a request. */
  #has({ subflows, remote }: Connection, request: CreateSubflowOptions, state: Subflow["state"]): boolean {
    return subflows.some(
      (subflow) => subflow.state === state && isMeant(subflow, request, remote) && !this.#ending.has(subflow),
    );
  }

  /** Subflows that are there or asked for, but for those that cannot work. */
  #count({ subflows }: Connection): number {
    const { assigned } = this.#pm.network;
    return subflows.filter((subflow) => assigned.has(subflow.local.address) && !this.#ending.has(subflow))
      .length;
  }

  /** The path manager's own connections, as they are now: handlers may make them more or less. */
  #all(): Connection[] {
    return [...this.#pm.connections].filter((connection) => this.#own.has(connection));
  }
}
