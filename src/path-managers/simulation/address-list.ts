export interface ListedAddress {
  readonly address: string;
  /** 0: none. */
  readonly port: number;
  readonly id: number;
}

/**
 * The addresses of this host that a connection of the userspace path manager has used, as the kernel lists them
 * (net/mptcp/pm_userspace.c, userspace_pm_local_addr_list): each address, and each port that it is announced with, has an id.
 */
export class AddressList implements Iterable<ListedAddress> {
  readonly #entries: ListedAddress[] = [];

  [Symbol.iterator](): Iterator<ListedAddress> {
    return this.#entries.values();
  }

  /** @returns false: the address has another id, or the id another address (mptcp_userspace_pm_append_new_local_addr) */
  enter(entry: ListedAddress): boolean {
    for (const { address, port, id } of this.#entries) {
      const isSameAddress = address === entry.address && port === entry.port;
      if (isSameAddress && id === entry.id) return true;
      if (isSameAddress || id === entry.id) return false;
    }
    this.#entries.push(entry);
    return true;
  }

  /** The id of an address that a peer has joined: the lowest free one, if it has none (mptcp_userspace_pm_get_local_id). */
  idOf(address: string): number {
    const known = this.#entries.find((entry) => entry.address === address);
    if (known !== undefined) return known.id;
    let id = 1;
    while (this.has(id)) id++;
    this.#entries.push({ address, port: 0, id });
    return id;
  }

  has(id: number): boolean {
    return this.#entries.some((entry) => entry.id === id);
  }

  remove(id: number): void {
    this.#removeFirst((entry) => entry.id === id);
  }

  /** As the end of a subflow that was asked for does, though others go from the address (mptcp_userspace_pm_delete_local_addr). */
  forget(address: string): void {
    this.#removeFirst((entry) => entry.address === address);
  }

  #removeFirst(fits: (entry: ListedAddress) => boolean): void {
    const at = this.#entries.findIndex(fits);
    if (at >= 0) this.#entries.splice(at, 1);
  }
}
