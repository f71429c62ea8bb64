import { type EndpointFlag, endpointFlags } from "../../kernel/mptcp-pm.ts";
import type { Bits } from "../../kernel/netlink/bits.ts";
import { isSame } from "./endpoints.ts";

export interface ListedAddress {
  readonly address: string;
  /** 0: none. */
  readonly port: number;
  readonly id: number;
  /** What the address is there for: signal if it was announced, implicit if the peer has joined it. */
  readonly flags: Bits<EndpointFlag>;
  /** 0: any. */
  readonly ifIndex: number;
}

/**
 * The addresses of this host that a connection of the userspace path manager has used, as the kernel lists them
 * (net/mptcp/pm_userspace.c, userspace_pm_local_addr_list): each address, and each port that it is announced with, has
 * an id.
 */
export class AddressList implements Iterable<ListedAddress> {
  readonly #entries: ListedAddress[] = [];

  [Symbol.iterator](): Iterator<ListedAddress> {
    return this.#entries.values();
  }

  /**
   * @returns false: the address has another id, or the id another address (mptcp_userspace_pm_append_new_local_addr)
   */
  enter(
    given: Pick<ListedAddress, "address" | "port" | "id"> & Partial<Pick<ListedAddress, "flags" | "ifIndex">>,
  ): boolean {
    const entry = { flags: endpointFlags.of("subflow"), ifIndex: 0, ...given };
    for (const { address, port, id } of this.#entries) {
      const isSamePlace = isSame(address, entry.address) && port === entry.port;
      if (isSamePlace && id === entry.id) return true;
      if (isSamePlace || id === entry.id) return false;
    }
    this.#entries.push(entry);
    return true;
  }

  /**
   * The id of an address that a peer has joined: the lowest free one, if it has none (mptcp_userspace_pm_get_local_id).
   */
  idOf(address: string): number {
    const known = this.#entries.find((entry) => isSame(entry.address, address));
    if (known !== undefined) return known.id;
    let id = 1;
    while (this.has(id)) id++;
    this.enter({ address, port: 0, id, flags: endpointFlags.of("implicit") });
    return id;
  }

  has(id: number): boolean {
    return this.#entries.some((entry) => entry.id === id);
  }

  remove(id: number): void {
    this.#removeFirst((entry) => entry.id === id);
  }

  /**
   * As the end of a subflow that was asked for does, though others go from the address
   * (mptcp_userspace_pm_delete_local_addr).
   */
  forget(address: string): void {
    this.#removeFirst((entry) => isSame(entry.address, address));
  }

  /** Notes in the first entry of an address that its subflows are backup, or no longer so. */
  setBackup(address: string, backup: boolean): void {
    const at = this.#entries.findIndex((entry) => isSame(entry.address, address));
    const entry = this.#entries[at];
    if (entry === undefined) return;
    const flags = backup ? entry.flags.with("backup") : entry.flags.without("backup");
    this.#entries[at] = { ...entry, flags };
  }

  #removeFirst(fits: (entry: ListedAddress) => boolean): void {
    const at = this.#entries.findIndex(fits);
    if (at >= 0) this.#entries.splice(at, 1);
  }
}
