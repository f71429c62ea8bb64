import type { SocketAddress } from "../../kernel/sockets.ts";
import type { Connection, ConnectionChange } from "./connection.ts";
import { ConnectionRecord, noAddresses, noSubflows, SubflowRecord } from "./connection-record.ts";
import {
  type ConnectionEvent,
  closeReasonFrom,
  connectionFromEvent,
  endFromEvent,
  joining,
  type OpeningEvent,
  type SubflowEvent,
  subflowFromEvent,
} from "./from-events.ts";
import type { ListedConnection } from "./from-sock-diag.ts";

/** What is told of a connection only once, and sock_diag does not know (`serverSide`: not always). */
export type Facts = Pick<Connection, "serverSide" | "denyJoinId0" | "announced" | "announcedIsComplete">;

/** What a subflow is asked for with. */
export type SubflowRequest = Pick<SubflowRecord, "local" | "localId" | "remote" | "ifIndex" | "localBackup">;

/**
 * Every connection of the network namespace. Events keep it true, each at a cost that does not depend on how many there
 * are; `reconcile` and `miss` mend what events did not tell. Whatever changes is told to `onChange`, once the connection is
 * as it will be. Pure: time and the kernel are the tracker's.
 */
export class ConnectionTable implements Iterable<ConnectionRecord> {
  readonly #connections = new Map<number, ConnectionRecord>();
  readonly #onChange: (change: ConnectionChange) => void;
  #changed = new Set<number>();

  constructor(onChange: (change: ConnectionChange) => void) {
    this.#onChange = onChange;
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
   * The tokens of connections that change from now until the next call, filled in as they do: a list that the kernel
   * makes meanwhile is older than what is known of these.
   */
  watchChanges(): ReadonlySet<number> {
    this.#changed = new Set();
    return this.#changed;
  }

  /** @returns false if the event is of a connection that is not here: it was missed */
  apply(event: ConnectionEvent): boolean {
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
      case "announced":
        this.#announce(connection, event.remoteId, endFromEvent(event.remoteAddress, event.remotePort));
        break;
      case "removed":
        this.#withdraw(connection, event.remoteId);
        break;
      case "subflowEstablished":
        this.#establish(connection, event);
        break;
      case "subflowClosed":
        this.#closeSubflow(connection, event);
        break;
      case "subflowPriority":
        this.#prioritize(connection, event);
        break;
    }
    return true;
  }

  /** Events were lost: any peer may have announced an address unheard. */
  doubtAnnouncements(): void {
    for (const connection of this) connection.announcedIsComplete = false;
  }

  /** Enters a subflow that the kernel is about to be asked for; its events will find it. */
  connect(connection: ConnectionRecord, request: SubflowRequest): SubflowRecord {
    const subflow = new SubflowRecord({ ...joining, ...request });
    connection.add(subflow);
    this.#changed.add(connection.token);
    return subflow;
  }

  /** Takes such a subflow out again, of which nothing was heard. */
  abandon(connection: ConnectionRecord, subflow: SubflowRecord): void {
    this.#changed.add(connection.token);
    subflow.state = "closed";
    connection.remove(subflow);
  }

  /** This host's part of a priority, which no event tells; whoever asked for it need not be told. */
  setLocalBackup(connection: ConnectionRecord, subflow: SubflowRecord, localBackup: boolean): void {
    this.#changed.add(connection.token);
    subflow.localBackup = localBackup;
  }

  /**
   * Makes a connection what sock_diag shows of it; `facts` are for one that is not known yet. While sockets come and go
   * its listing may leave out some that are there: what is missing goes when it is missing twice.
   *
   * @returns whether something is missing for the first time
   */
  reconcile(found: ListedConnection, facts: () => Facts | undefined): boolean {
    const known = this.#connections.get(found.token);
    if (known !== undefined) return this.#mend(known, found);
    this.#adopt(found, facts());
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
      this.#onChange({ type: "newConnection", connection });
    }
    if (event.event === "established") this.#confirm(connection);
  }

  #adopt(found: ListedConnection, facts?: Facts): void {
    const { token, local, remote, socketFamily, established, serverSide, subflows } = found;
    const connection = new ConnectionRecord(token, local, remote, socketFamily);
    connection.serverSide = serverSide === "unknown" ? (facts?.serverSide ?? "unknown") : serverSide;
    connection.denyJoinId0 = facts?.denyJoinId0 ?? "unknown";
    connection.announced = facts?.announced ?? noAddresses;
    connection.announcedIsComplete = facts?.announcedIsComplete ?? false;
    connection.subflows = subflows;
    this.#connections.set(token, connection);
    this.#onChange({ type: "newConnection", connection });
    if (established) this.#confirm(connection);
    for (const address of connection.announced) this.#onChange({ type: "newAddress", connection, address });
    for (const subflow of subflows) this.#introduce(connection, subflow);
  }

  #mend(connection: ConnectionRecord, { established, serverSide, subflows }: ListedConnection): boolean {
    const fresh: SubflowRecord[] = [];
    const pairs = new Map<SubflowRecord, SubflowRecord>();
    for (const now of subflows) {
      const unpaired = connection.subflows.filter((subflow) => !pairs.has(subflow));
      const subflow = findSame(unpaired, now);
      if (subflow === undefined) fresh.push(now);
      else pairs.set(subflow, now);
    }
    // What is asked for may be on its way to the kernel: who asks has a deadline.
    const missing = connection.subflows.filter((subflow) => !pairs.has(subflow) && subflow.local.port !== 0);
    const gone = missing.filter(({ missed }) => missed);
    connection.missed = false;
    for (const subflow of connection.subflows) subflow.missed = missing.includes(subflow);
    for (const subflow of gone) subflow.state = "closed";
    connection.subflows = [...connection.subflows.filter((subflow) => !gone.includes(subflow)), ...fresh];
    if (connection.serverSide === "unknown") connection.serverSide = serverSide;
    if (established) this.#confirm(connection);
    for (const subflow of gone) this.#onChange({ type: "subflowClosed", connection, subflow, reason: {} });
    for (const [subflow, now] of pairs) {
      subflow.ifIndex = now.ifIndex;
      if (subflow.state === "connecting" && now.state === "established") this.#join(connection, subflow, now);
      else this.#setBackup(connection, subflow, now);
    }
    for (const subflow of fresh) this.#introduce(connection, subflow);
    return missing.length > gone.length;
  }

  #confirm(connection: ConnectionRecord): void {
    if (connection.state !== "created") return;
    connection.state = "established";
    this.#onChange({ type: "connectionEstablished", connection });
  }

  #close(connection: ConnectionRecord): void {
    this.#connections.delete(connection.token);
    connection.state = "closed";
    for (const subflow of connection.subflows) subflow.state = "closed";
    connection.subflows = noSubflows;
    connection.announced = noAddresses;
    this.#onChange({ type: "connectionClosed", connection });
  }

  #announce(connection: ConnectionRecord, id: number, { address, port }: SocketAddress): void {
    const known = connection.announced.find((other) => other.id === id);
    if (known?.address === address && known.port === port) return;
    const announced = { id, address, port };
    const others =
      known === undefined ? connection.announced : connection.announced.filter((other) => other !== known);
    connection.announced = others.concat(announced);
    this.#onChange({ type: "newAddress", connection, address: announced });
  }

  #withdraw(connection: ConnectionRecord, id: number): void {
    const known = connection.announced.find((other) => other.id === id);
    connection.announced = connection.announced.filter((other) => other !== known);
    this.#onChange({ type: "addressRemoved", connection, address: known ?? { id } });
  }

  #establish(connection: ConnectionRecord, event: SubflowEvent): void {
    const now = subflowFromEvent(event, "established");
    const known = findSame(connection.subflows, now);
    if (known?.state === "connecting") this.#join(connection, known, now);
    if (known !== undefined) return;
    connection.add(now);
    this.#introduce(connection, now);
  }

  #closeSubflow(connection: ConnectionRecord, event: SubflowEvent): void {
    const now = subflowFromEvent(event, "connecting");
    // Where there is none, it is an attempt of the kernel's own that came to nothing.
    const subflow = findSame(connection.subflows, now) ?? now;
    subflow.state = "closed";
    connection.remove(subflow);
    this.#onChange({ type: "subflowClosed", connection, subflow, reason: closeReasonFrom(event) });
  }

  #prioritize(connection: ConnectionRecord, event: SubflowEvent): void {
    const subflow = findSame(connection.subflows, subflowFromEvent(event, "established"));
    if (subflow === undefined) return;
    this.#setBackup(connection, subflow, { localBackup: subflow.localBackup, remoteBackup: event.backup });
  }

  /** A subflow that was asked for is there. */
  #join(connection: ConnectionRecord, subflow: SubflowRecord, now: SubflowRecord): void {
    subflow.local = now.local;
    subflow.remoteId = now.remoteId;
    subflow.mapped = now.mapped;
    subflow.remoteBackup = now.remoteBackup;
    subflow.state = "established";
    this.#introduce(connection, subflow);
  }

  #introduce(connection: ConnectionRecord, subflow: SubflowRecord): void {
    if (subflow.state === "established" && !subflow.initial)
      this.#onChange({ type: "newSubflow", connection, subflow });
  }

  #setBackup(
    connection: ConnectionRecord,
    subflow: SubflowRecord,
    { localBackup, remoteBackup }: Pick<SubflowRecord, "localBackup" | "remoteBackup">,
  ): void {
    if (subflow.localBackup === localBackup && subflow.remoteBackup === remoteBackup) return;
    subflow.localBackup = localBackup;
    subflow.remoteBackup = remoteBackup;
    this.#onChange({ type: "subflowPriority", connection, subflow });
  }
}

/**
 * The subflow that the kernel speaks of: by its ends, or else one that was only asked for, whose own port is not known
 * yet. Of what failed before its handshake the kernel may not tell the peer's port.
 */
function findSame(subflows: readonly SubflowRecord[], now: SubflowRecord): SubflowRecord | undefined {
  const goesThere = ({ local, remote }: SubflowRecord) =>
    local.address === now.local.address &&
    remote.address === now.remote.address &&
    (remote.port === now.remote.port || now.remote.port === 0);
  return (
    subflows.find((subflow) => subflow.local.port === now.local.port && goesThere(subflow)) ??
    subflows.find(
      (subflow) => subflow.local.port === 0 && subflow.localId === now.localId && goesThere(subflow),
    )
  );
}
