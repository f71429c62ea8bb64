import type { MptcpPm } from "../../kernel/mptcp-pm.ts";
import { refusalOf } from "../../kernel/mptcp-pm-refusals.ts";
import { NetlinkError } from "../../kernel/netlink/errors.ts";
import { unmapped } from "../../kernel/netlink/ip.ts";
import { type Connection, ConnectionError, type SocketAddress, tokenText } from "./connection.ts";
import type { ConnectionRecord } from "./connection-record.ts";

export type IdKernel = Pick<MptcpPm, "remove" | "dumpEndpoints">;

/** The address ids of all connections that had a request. They are dropped with their connections. */
export class IdBook {
  readonly #kernel: IdKernel;
  readonly #ids = new WeakMap<Connection, AddressIds>();

  constructor(kernel: IdKernel) {
    this.#kernel = kernel;
  }

  /**
   * Runs a command with the id of a local address: the requested id, or else the id of the address. The kernel may have
   * given ids by itself meanwhile (to an address that the peer joined), and then refuses ours. In that case the
   * kernel's list is read and the command is tried again, unless the caller requested the id.
   *
   * @param what completes "cannot …", for an error
   * @throws KernelError, or a ConnectionError (ENOSPC) where all ids are taken
   */
  async use<T>(
    connection: ConnectionRecord,
    place: { readonly address: string; readonly port: number; readonly id?: number | undefined },
    what: () => string,
    command: (id: number) => Promise<T>,
  ): Promise<T> {
    const ids = this.of(connection);
    const { address, port } = place;
    for (let attempt = 1; ; attempt++) {
      const isNew = ids.find(address, port) === undefined;
      const id = place.id ?? ids.take(address, port) ?? (await this.#makeRoom(connection, ids, place, what));
      try {
        const result = await command(id);
        if (place.id !== undefined) ids.learn([{ address, port, id }]);
        connection.pathManager = "userspace";
        return result;
      } catch (error) {
        if (isNew) ids.release(address, port);
        const refusal = refusalOf(error);
        if (refusal === "kernel-path-manager") connection.pathManager = "kernel";
        const isTaken = refusal === "address-id-mismatch";
        if (!isTaken || place.id !== undefined || attempt === ATTEMPTS) throw error;
        await this.#relearn(connection, ids, id);
      }
    }
  }

  of(connection: Connection): AddressIds {
    const known = this.#ids.get(connection);
    if (known !== undefined) return known;
    const ids = new AddressIds(connection);
    this.#ids.set(connection, ids);
    return ids;
  }

  async #relearn({ token }: Connection, ids: AddressIds, refused: number): Promise<void> {
    try {
      const list = await this.#kernel.dumpEndpoints(token);
      ids.learn(list.map(({ id, port, address }) => ({ id, port, address: unmapped(address) })));
    } catch (error) {
      if (!(error instanceof NetlinkError) || error.code !== "EOPNOTSUPP") throw error;
      ids.block(refused);
    }
  }

  /** Takes back the ids of addresses that no subflow goes from any more and that were not announced. */
  async #makeRoom(
    connection: Connection,
    ids: AddressIds,
    { address, port }: { readonly address: string; readonly port: number },
    what: () => string,
  ): Promise<number> {
    for (const unused of ids.unused(connection)) {
      // One that the kernel does not have is free as well.
      await this.#kernel.remove({ token: connection.token, id: unused.id }).catch(() => undefined);
      ids.release(unused.address, unused.port);
    }
    const id = ids.take(address, port);
    if (id !== undefined) return id;
    const reason = `all address ids of connection ${tokenText(connection.token)} are in use; withdraw an address first`;
    throw new ConnectionError(what(), "ENOSPC", reason);
  }
}

/** The first, one after the kernel's list was read, and one more, as it may have changed since. */
const ATTEMPTS = 3;

/** An id is a byte. */
const MOST_IDS = 255;
/** Prefix of the placeholder for an unknown address that has taken an id. */
const UNKNOWN = "unknown, of id ";

export interface IdentifiedAddress extends SocketAddress {
  readonly id: number;
}

/**
 * The address ids of this host in one connection (RFC 8684, 3.2), as the kernel's list has them
 * (net/mptcp/pm_userspace.c, userspace_pm_local_addr_list): one for each address, and one for each port that an address
 * is announced with; 0 is the address of the initial subflow. An id that is given to an address stays with it until it
 * is released.
 */
export class AddressIds {
  /** Only a few, so a search through them is faster than keys would be. */
  #entries: IdentifiedAddress[] = [];
  #announced: readonly SocketAddress[] = [];

  /** Begins with what the connection's subflows tell. */
  constructor({ local, subflows }: Pick<Connection, "local" | "subflows">) {
    for (const subflow of subflows)
      this.#set({ address: subflow.local.address, port: 0, id: subflow.localId });
    this.#set({ address: local.address, port: 0, id: 0 });
  }

  /** The id of an address, the lowest free one if it has none; undefined: all are taken. */
  take(address: string, port = 0): number | undefined {
    const known = this.find(address, port);
    if (known !== undefined) return known;
    let id = 1;
    while (this.#entries.some((entry) => entry.id === id)) id++;
    if (id > MOST_IDS) return undefined;
    this.#set({ address, port, id });
    return id;
  }

  find(address: string, port = 0): number | undefined {
    return this.#entries.find((entry) => isAt(entry, address, port))?.id;
  }

  /** Every id that an address has, with whatever port. */
  allOf(address: string): number[] {
    return this.#entries.flatMap((entry) => (entry.address === address ? entry.id : []));
  }

  /** The address that has an id, if that is known. */
  addressOf(id: number): IdentifiedAddress | undefined {
    return this.#entries.find((entry) => entry.id === id && !entry.address.startsWith(UNKNOWN));
  }

  /** The id is free again; but 0 stays with the initial subflow, even when that is gone. */
  release(address: string, port = 0): void {
    if (this.find(address, port) === 0) return;
    this.#entries = this.#entries.filter((entry) => !isAt(entry, address, port));
    this.#announced = this.#announced.filter((entry) => !isAt(entry, address, port));
  }

  /** The peer knows the id: from now on it counts as used, with or without subflows. */
  announce(address: string, port: number): void {
    if (!this.#isAnnounced(address, port)) this.#announced = [...this.#announced, { address, port }];
  }

  /** Takes over what the kernel has; what it does not have keeps its id where that is free. */
  learn(list: readonly IdentifiedAddress[]): void {
    const taken = new Set(list.map(({ id }) => id));
    this.#entries = this.#entries.filter(({ id }) => id === 0 || !taken.has(id));
    for (const entry of list) this.#set(entry);
  }

  /** An id turned out to belong to another address; an old kernel does not say which. */
  block(id: number): void {
    this.#entries = this.#entries.filter((entry) => entry.id !== id);
    this.#set({ address: `${UNKNOWN}${id}`, port: 0, id });
  }

  /** The ids that no subflow uses, and that the peer was not told, as far as is known. */
  unused({ subflows }: Pick<Connection, "subflows">): IdentifiedAddress[] {
    const used = new Set(subflows.map(({ localId }) => localId));
    return this.#entries.filter(
      ({ address, port, id }) => id !== 0 && !used.has(id) && !this.#isAnnounced(address, port),
    );
  }

  #isAnnounced(address: string, port: number): boolean {
    return this.#announced.some((entry) => isAt(entry, address, port));
  }

  /** Takes the place of what the address and port had. */
  #set(entry: IdentifiedAddress): void {
    const index = this.#entries.findIndex((other) => isAt(other, entry.address, entry.port));
    if (index < 0) this.#entries.push(entry);
    else this.#entries[index] = entry;
  }
}

function isAt(entry: SocketAddress, address: string, port: number): boolean {
  return entry.address === address && entry.port === port;
}
