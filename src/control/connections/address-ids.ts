import type { Connection, SocketAddress } from "./connection.ts";

const MOST = 255;
/** Begins what stands in for the address of an id that is taken by nobody knows whom. */
const UNKNOWN = "unknown, of id ";

export interface IdentifiedAddress extends SocketAddress {
  readonly id: number;
}

/**
 * The address ids of this host in one connection (RFC 8684, 3.2), as the kernel's list has them (net/mptcp/pm_userspace.c,
 * userspace_pm_local_addr_list): one for each address, and one for each port that an address is announced with; 0 is the
 * address of the initial subflow. An id that is given to an address stays with it until it is released.
 */
export class AddressIds {
  readonly #entries = new Map<string, IdentifiedAddress>();
  readonly #announced = new Set<string>();

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
    const taken = new Set(Array.from(this.#entries.values(), ({ id }) => id));
    let id = 1;
    while (taken.has(id)) id++;
    if (id > MOST) return undefined;
    this.#set({ address, port, id });
    return id;
  }

  find(address: string, port = 0): number | undefined {
    return this.#entries.get(keyOf(address, port))?.id;
  }

  /** Every id that an address has, with whatever port. */
  allOf(address: string): number[] {
    return [...this.#entries.values()].flatMap((entry) => (entry.address === address ? entry.id : []));
  }

  /** The address that has an id, if that is known. */
  addressOf(id: number): IdentifiedAddress | undefined {
    return [...this.#entries.values()].find((entry) => entry.id === id && !entry.address.startsWith(UNKNOWN));
  }

  /** The id is free again; but 0 stays the initial subflow's, also when that is gone. */
  release(address: string, port = 0): void {
    if (this.find(address, port) === 0) return;
    this.#entries.delete(keyOf(address, port));
    this.#announced.delete(keyOf(address, port));
  }

  /** The peer was told of it: it is not among the unused ones, with or without subflows. */
  announce(address: string, port: number): void {
    this.#announced.add(keyOf(address, port));
  }

  /** Takes over what the kernel has; what it does not have keeps its id where that is free. */
  learn(list: readonly IdentifiedAddress[]): void {
    const taken = new Set(list.map(({ id }) => id));
    for (const [key, { id }] of this.#entries) if (id !== 0 && taken.has(id)) this.#entries.delete(key);
    for (const entry of list) this.#set(entry);
  }

  /** An id turned out to be another address': whose, an old kernel does not say. */
  block(id: number): void {
    for (const [key, entry] of this.#entries) if (entry.id === id) this.#entries.delete(key);
    this.#set({ address: `${UNKNOWN}${id}`, port: 0, id });
  }

  /** Those that no subflow goes from, and that the peer was not told of, as far as is known. */
  unused({ subflows }: Pick<Connection, "subflows">): IdentifiedAddress[] {
    const used = new Set(subflows.map(({ localId }) => localId));
    return [...this.#entries]
      .filter(([key, { id }]) => id !== 0 && !used.has(id) && !this.#announced.has(key))
      .map(([, entry]) => entry);
  }

  #set(entry: IdentifiedAddress): void {
    this.#entries.set(keyOf(entry.address, entry.port), entry);
  }
}

function keyOf(address: string, port: number): string {
  return `${address} ${port}`;
}
