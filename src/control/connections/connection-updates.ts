import type { SocketAddress } from "../../kernel/sockets.ts";
import type { ConnectionChange } from "./connection.ts";
import { type ConnectionRecord, noAddresses, noSubflows, SubflowRecord } from "./connection-record.ts";
import { closeReasonFrom, type EventOfSubflow, subflowFromEvent } from "./from-events.ts";
import type { ListedConnection } from "./from-sock-diag.ts";

/** What a subflow is asked for with. */
export type SubflowRequest = Pick<SubflowRecord, "local" | "localId" | "remote" | "ifIndex" | "localBackup">;

/**
 * How one connection changes: by what its events say, and by what sock_diag shows of it. Each change is told once the
 * connection is as it will be.
 */
export class ConnectionUpdates {
  readonly #onChange: (change: ConnectionChange) => void;

  constructor(onChange: (change: ConnectionChange) => void) {
    this.#onChange = onChange;
  }

  /** It is there, as it is now. */
  begin(connection: ConnectionRecord): void {
    this.#onChange({ type: "newConnection", connection });
  }

  /** The same for one that may have been there for long: tells of what it has, too. */
  beginAsListed(connection: ConnectionRecord, established: boolean): void {
    // A listener that is told of it may ask for more.
    const { subflows } = connection;
    this.begin(connection);
    if (established) this.confirm(connection);
    for (const address of connection.announced) this.#onChange({ type: "newAddress", connection, address });
    for (const subflow of subflows) this.#introduce(connection, subflow);
  }

  confirm(connection: ConnectionRecord): void {
    if (connection.state !== "created") return;
    connection.state = "established";
    this.#onChange({ type: "connectionEstablished", connection });
  }

  close(connection: ConnectionRecord): void {
    connection.state = "closed";
    for (const subflow of connection.subflows) subflow.state = "closed";
    connection.subflows = noSubflows;
    connection.announced = noAddresses;
    this.#onChange({ type: "connectionClosed", connection });
  }

  announce(connection: ConnectionRecord, id: number, { address, port }: SocketAddress): void {
    const known = connection.announced.find((other) => other.id === id);
    if (known?.address === address && known.port === port) return;
    const announced = { id, address, port };
    const others =
      known === undefined ? connection.announced : connection.announced.filter((other) => other !== known);
    connection.announced = others.concat(announced);
    this.#onChange({ type: "newAddress", connection, address: announced });
  }

  withdraw(connection: ConnectionRecord, id: number): void {
    const known = connection.announced.find((other) => other.id === id);
    connection.announced = connection.announced.filter((other) => other !== known);
    this.#onChange({ type: "addressRemoved", connection, address: known ?? { id } });
  }

  /** Enters a subflow that the kernel is about to be asked for; its events will find it. */
  connect(connection: ConnectionRecord, request: SubflowRequest): SubflowRecord {
    const subflow = new SubflowRecord(request.local, request.remote, request.localId);
    subflow.ifIndex = request.ifIndex;
    subflow.localBackup = request.localBackup;
    connection.add(subflow);
    return subflow;
  }

  establish(connection: ConnectionRecord, event: EventOfSubflow): void {
    const now = subflowFromEvent(event, "established");
    const known = findSame(connection.subflows, now);
    if (known?.state === "connecting") this.#join(connection, known, now);
    if (known !== undefined) return;
    connection.add(now);
    this.#introduce(connection, now);
  }

  closeSubflow(connection: ConnectionRecord, event: EventOfSubflow): void {
    const now = subflowFromEvent(event, "connecting");
    // Where there is none, it is an attempt of the kernel's own that came to nothing.
    const subflow = findSame(connection.subflows, now) ?? now;
    subflow.state = "closed";
    connection.remove(subflow);
    this.#onChange({ type: "subflowClosed", connection, subflow, reason: closeReasonFrom(event) });
  }

  prioritize(connection: ConnectionRecord, event: EventOfSubflow): void {
    const subflow = findSame(connection.subflows, subflowFromEvent(event, "established"));
    if (subflow === undefined) return;
    this.#setBackup(connection, subflow, { localBackup: subflow.localBackup, remoteBackup: event.backup });
  }

  /**
   * Makes it what sock_diag shows. What is missing there for the second time is closed.
   *
   * @returns whether something is missing for the first time
   */
  mend(connection: ConnectionRecord, { established, serverSide, subflows }: ListedConnection): boolean {
    const fresh: SubflowRecord[] = [];
    const pairs = new Map<SubflowRecord, SubflowRecord>();
    for (const now of subflows) {
      const unpaired = connection.subflows.filter((subflow) => !pairs.has(subflow));
      const subflow = findSame(unpaired, now);
      if (subflow === undefined) fresh.push(now);
      else pairs.set(subflow, now);
    }
    // A requested subflow may be on its way to the kernel; its request has a deadline.
    const missing = connection.subflows.filter((subflow) => !pairs.has(subflow) && subflow.local.port !== 0);
    const ended = missing.filter(({ missed }) => missed);
    connection.missed = false;
    for (const subflow of connection.subflows) subflow.missed = missing.includes(subflow);
    for (const subflow of ended) subflow.state = "closed";
    connection.subflows = [...connection.subflows.filter((subflow) => !ended.includes(subflow)), ...fresh];
    if (connection.serverSide === "unknown") connection.serverSide = serverSide;
    if (established) this.confirm(connection);
    for (const subflow of ended) this.#onChange({ type: "subflowClosed", connection, subflow, reason: {} });
    for (const [subflow, now] of pairs) {
      subflow.ifIndex = now.ifIndex;
      if (subflow.state === "connecting" && now.state === "established") this.#join(connection, subflow, now);
      else this.#setBackup(connection, subflow, now);
    }
    for (const subflow of fresh) this.#introduce(connection, subflow);
    return missing.length > ended.length;
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
