import { type Clock, until } from "../../base/clock.ts";
import type { MptcpPm } from "../../kernel/mptcp-pm.ts";
import { refusalOf } from "../../kernel/mptcp-pm-refusals.ts";
import { unmapped } from "../../kernel/netlink/ip.ts";
import { REMOVAL_SPACING } from "../removal-spacing.ts";
import type { IdBook, IdentifiedAddress } from "./address-ids.ts";
import { type Connection, type ConnectionChange, ConnectionError, tokenText } from "./connection.ts";
import type { ConnectionRecord } from "./connection-record.ts";
import type { Listeners, OpenListener } from "./listeners.ts";
import type { Subflows } from "./subflows.ts";

export type AnnouncingKernel = Pick<MptcpPm, "announce" | "remove">;

/** An address of this host as the peer is told of it. `port` 0: that of the initial subflow. */
export type Announcement = IdentifiedAddress;

export interface AnnounceOptions {
  readonly address: string;
  /** The port to connect to. Without one: that of the initial subflow. 0, with `listen`: any that is free. */
  readonly port?: number | undefined;
  /** By which the peer knows it; one is chosen if it is not given. */
  readonly id?: number | undefined;
  /** The interface that subflows to the address are bound to. */
  readonly ifIndex?: number | undefined;
  /** Opens a listening socket there, if no program listens; it is closed as soon as it is not needed. */
  readonly listen?: boolean | undefined;
  /** When this is aborted, the listening socket is closed. */
  readonly signal?: AbortSignal | undefined;
}

/** Announces addresses of this host to peers (ADD_ADDR), and withdraws them (REMOVE_ADDR). */
export class Announcements {
  readonly #kernel: AnnouncingKernel;
  readonly #ids: IdBook;
  readonly #listeners: Listeners;
  readonly #subflows: Pick<Subflows, "destroy">;
  readonly #clock: Clock;
  readonly #open = new Map<Connection, Map<number, OpenListener>>();
  /** When the last ADD_ADDR of a connection was sent. */
  readonly #announced = new WeakMap<Connection, number>();
  /** When the last of its REMOVE_ADDR was sent, or will have been. */
  readonly #sent = new WeakMap<Connection, Promise<number>>();

  constructor(parts: {
    readonly kernel: AnnouncingKernel;
    readonly ids: IdBook;
    readonly listeners: Listeners;
    readonly subflows: Pick<Subflows, "destroy">;
    readonly clock: Clock;
  }) {
    this.#kernel = parts.kernel;
    this.#ids = parts.ids;
    this.#listeners = parts.listeners;
    this.#subflows = parts.subflows;
    this.#clock = parts.clock;
  }

  /** Throws KernelError, SystemError where it cannot listen, ConnectionError where all ids are taken. */
  async announce(connection: ConnectionRecord, options: AnnounceOptions): Promise<Announcement> {
    const { listen = false, signal, ifIndex } = options;
    const address = unmapped(options.address);
    const what = () => `announce ${address} to connection ${tokenText(connection.token)}`;
    signal?.throwIfAborted();
    const listener = listen
      ? this.#listeners.open(address, options.port ?? connection.local.port)
      : undefined;
    const port = options.port === undefined ? 0 : (listener?.port ?? options.port);
    try {
      return await this.#ids.use(connection, { address, port, id: options.id }, what, async (id) => {
        await this.#add(connection, { address, id, port, ifIndex });
        this.#ids.of(connection).announce(address, port);
        if (listener !== undefined) this.#keep(connection, id, listener, signal);
        return { address, port, id };
      });
    } catch (error) {
      listener?.close();
      throw error;
    }
  }

  /** Ends the subflows from that address as well. Without a port, with whatever ports it has. ENOENT: it has no id. */
  async withdraw(
    connection: ConnectionRecord,
    target: { readonly id: number } | { readonly address: string; readonly port?: number | undefined },
  ): Promise<void> {
    if ("id" in target) return await this.#withdrawId(connection, target.id);
    const ids = this.#ids.of(connection);
    const address = unmapped(target.address);
    const { port } = target;
    const given = port === undefined ? ids.allOf(address) : [ids.find(address, port) ?? []].flat();
    if (given.length === 0) {
      const what = `withdraw ${target.address} from connection ${tokenText(connection.token)}`;
      throw new ConnectionError(what, "ENOENT", "it was not announced and no subflow goes from it");
    }
    for (const id of given) await this.#withdrawId(connection, id);
  }

  noticed(change: ConnectionChange): void {
    if (change.type !== "connectionClosed") return;
    for (const id of this.#open.get(change.connection)?.keys() ?? []) this.#drop(change.connection, id);
  }

  async #withdrawId(connection: ConnectionRecord, id: number): Promise<void> {
    const ids = this.#ids.of(connection);
    await this.#inTurn(connection, () => this.#remove(connection, id));
    await this.#endSubflows(connection, id);
    const entry = ids.addressOf(id);
    if (entry !== undefined) ids.release(entry.address, entry.port);
    this.#drop(connection, id);
  }

  /** Waits until the time of the last REMOVE_ADDR is over; a refused one takes no time. */
  async #inTurn(connection: Connection, remove: () => Promise<void>): Promise<void> {
    const before = this.#sent.get(connection) ?? Promise.resolve(Number.NEGATIVE_INFINITY);
    const removing = before
      .then((at) => until(this.#clock, at + REMOVAL_SPACING))
      .then(() => this.#afterAnnouncement(connection))
      .then(remove);
    const sent = removing.then(
      () => this.#clock.now(),
      () => before,
    );
    this.#sent.set(connection, sent);
    await removing;
  }

  /**
   * If a REMOVE_ADDR comes right after an ADD_ADDR, Linux handles the REMOVE_ADDR first, and then joins an address that
   * is gone (mptcp_pm_worker).
   */
  async #afterAnnouncement(connection: Connection): Promise<void> {
    await until(this.#clock, (this.#announced.get(connection) ?? Number.NEGATIVE_INFINITY) + REMOVAL_SPACING);
  }

  async #remove(connection: ConnectionRecord, id: number): Promise<void> {
    const { token } = connection;
    try {
      await this.#kernel.remove({ token, id });
    } catch (error) {
      const isLost = refusalOf(error) === "no-such-address-id";
      const known = this.#ids.of(connection).addressOf(id);
      // 0, the initial subflow's address, is never on the list and cannot be announced.
      if (!isLost || known === undefined || id === 0) throw error;
      // Closing one of several subflows of an address takes the address off the kernel's list, and only addresses on
      // that list can be withdrawn (net/mptcp/pm_userspace.c, mptcp_userspace_pm_delete_local_addr).
      await this.#add(connection, known);
      await this.#afterAnnouncement(connection);
      await this.#kernel.remove({ token, id });
    }
  }

  async #add(
    connection: ConnectionRecord,
    { address, id, port, ifIndex }: Announcement & { readonly ifIndex?: number | undefined },
  ): Promise<void> {
    const { token } = connection;
    await this.#kernel.announce({
      ...{ token, address, id },
      ...(port && { port }),
      ...(ifIndex !== undefined && { ifIndex }),
    });
    this.#announced.set(connection, this.#clock.now());
  }

  /**
   * Linux peers also end the subflows, if the subflows exist and the REMOVE_ADDR arrives. But it is the task of its
   * sender (RFC 8684, 3.4.2), and only the sender can end a subflow that is still connecting.
   */
  async #endSubflows(connection: ConnectionRecord, id: number): Promise<void> {
    const own = connection.subflows.filter(({ localId }) => localId === id);
    // If the kernel refuses, the subflow has already ended.
    await Promise.all(
      own.map((subflow) => this.#subflows.destroy(connection, subflow).catch(() => undefined)),
    );
  }

  #keep(
    connection: ConnectionRecord,
    id: number,
    listener: OpenListener,
    signal: AbortSignal | undefined,
  ): void {
    // The connection may have ended while the kernel was asked.
    if (connection.state === "closed" || signal?.aborted) {
      listener.close();
      return;
    }
    const own = this.#open.get(connection) ?? new Map<number, OpenListener>();
    own.get(id)?.close();
    const abort = (): void => this.#drop(connection, id);
    const close = (): void => {
      // The id may become another announcement's, which is no business of this signal.
      signal?.removeEventListener("abort", abort);
      listener.close();
    };
    own.set(id, { port: listener.port, close });
    this.#open.set(connection, own);
    signal?.addEventListener("abort", abort);
  }

  #drop(connection: Connection, id: number): void {
    const own = this.#open.get(connection);
    own?.get(id)?.close();
    own?.delete(id);
    if (own?.size === 0) this.#open.delete(connection);
  }
}
