import type { Connection, ConnectionChange } from "./connection.ts";
import { ConnectionRecord, noAddresses, type SubflowRecord } from "./connection-record.ts";
import { ConnectionUpdates, type SubflowRequest } from "./connection-updates.ts";
import {
  connectionFromEvent,
  type EventOfConnection,
  endFromEvent,
  type OpeningEvent,
} from "./from-events.ts";
import type { ListedConnection } from "./from-sock-diag.ts";

/** The facts about a connection that the kernel tells once and sock_diag does not know (`serverSide`: not always). */
export type Facts = Pick<Connection, "serverSide" | "denyJoinId0" | "announced" | "announcedIsComplete">;

/**
 * Every connection of the network namespace. Events keep the table true; the cost of an event does not depend on the
 * number of connections. `reconcile` and `miss` correct what events did not tell. `onChange` is called for each change,
 * after the connection has its new state. Pure: only the tracker uses time and the kernel.
 */
export class ConnectionTable implements Iterable<ConnectionRecord> {
  readonly #connections = new Map<number, ConnectionRecord>();
  readonly #updates: ConnectionUpdates;
  #changed = new Set<number>();

  constructor(onChange: (change: ConnectionChange) => void) {
    this.#updates = new ConnectionUpdates(onChange);
  }

  get size(): number {
    return this.#connections.size;
  }

  get(token: number): ConnectionRecord | undefined {
    return this.#connections.get(token);
  }

  [Symbol.iterator](): Iterator<ConnectionRecord> {
    return this.#connections.values();
  }

  /**
   * The tokens of connections that change from now until the next call, filled in as they change. For these
   * connections, the table is newer than a list that the kernel makes meanwhile.
   */
  watchChanges(): ReadonlySet<number> {
    this.#changed = new Set();
    return this.#changed;
  }

  /** @returns false if the event is of a connection that is not here: it was missed */
  apply(event: EventOfConnection): boolean {
    if (event.event === "created" || event.event === "established") {
      this.#changed.add(event.token);
      this.#open(event);
      return true;
    }
    const connection = this.#connections.get(event.token);
    if (connection === undefined) return false;
    this.#changed.add(event.token);
    switch (event.event) {
      case "closed":
        this.#close(connection);
        break;
      case "announced": {
        const address = endFromEvent(event.remoteAddress, event.remotePort);
        this.#updates.announce(connection, event.remoteId, address);
        break;
      }
      case "removed":
        this.#updates.withdraw(connection, event.remoteId);
        break;
      case "subflowEstablished":
        this.#updates.establish(connection, event);
        break;
      case "subflowClosed":
        this.#updates.closeSubflow(connection, event);
        break;
      case "subflowPriority":
        this.#updates.prioritize(connection, event);
        break;
    }
    return true;
  }

  /** Events were lost: any peer may have announced an address that we do not know. */
  doubtAnnouncements(): void {
    for (const connection of this) connection.announcedIsComplete = false;
  }

  /** Enters a subflow that the kernel is about to be asked for; its events will find it. */
  connect(connection: ConnectionRecord, request: SubflowRequest): SubflowRecord {
    this.#changed.add(connection.token);
    return this.#updates.connect(connection, request);
  }

  /** Removes such a subflow again, if no event has named it. */
  abandon(connection: ConnectionRecord, subflow: SubflowRecord): void {
    this.#changed.add(connection.token);
    subflow.state = "closed";
    connection.remove(subflow);
  }

  /** Sets this host's part of a priority. No event tells it, and the requester does not need to be told. */
  setLocalBackup(connection: ConnectionRecord, subflow: SubflowRecord, localBackup: boolean): void {
    this.#changed.add(connection.token);
    subflow.localBackup = localBackup;
  }

  /**
   * Makes a connection match sock_diag; `facts` are for a connection that is not known yet. While sockets come and go,
   * the listing of sock_diag may leave out some that exist: so only what is missing twice is removed.
   *
   * @returns whether something is missing for the first time
   */
  reconcile(listed: ListedConnection, facts: () => Facts | undefined): boolean {
    const known = this.#connections.get(listed.token);
    if (known !== undefined) return this.#updates.mend(known, listed);
    this.#adopt(listed, facts());
    return false;
  }

  /** The same for a connection that sock_diag does not show. */
  miss(connection: ConnectionRecord): boolean {
    if (connection.missed) this.#close(connection);
    connection.missed = true;
    return connection.state !== "closed";
  }

  #open(event: OpeningEvent): void {
    const { token, serverSide, denyJoinId0 } = event;
    const known = this.#connections.get(token);
    const connection = known ?? connectionFromEvent(event);
    connection.serverSide = serverSide;
    connection.denyJoinId0 = denyJoinId0;
    // A reading may have found it while it was connecting.
    for (const subflow of connection.subflows) if (subflow.initial) subflow.state = "established";
    if (event.event === "created") connection.announcedIsComplete = true;
    if (known === undefined) {
      this.#connections.set(token, connection);
      this.#updates.begin(connection);
    }
    if (event.event === "established") this.#updates.confirm(connection);
  }

  #adopt(listed: ListedConnection, facts?: Facts): void {
    const { token, local, remote, socketFamily, established, serverSide, subflows } = listed;
    const connection = new ConnectionRecord(token, local, remote, socketFamily);
    connection.serverSide = serverSide === "unknown" ? (facts?.serverSide ?? "unknown") : serverSide;
    connection.denyJoinId0 = facts?.denyJoinId0 ?? "unknown";
    connection.announced = facts?.announced ?? noAddresses;
    connection.announcedIsComplete = facts?.announcedIsComplete ?? false;
    connection.subflows = subflows;
    this.#connections.set(token, connection);
    this.#updates.beginAsListed(connection, established);
  }

  #close(connection: ConnectionRecord): void {
    this.#connections.delete(connection.token);
    this.#updates.close(connection);
  }
}
