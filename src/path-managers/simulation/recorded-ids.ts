import { unmapped } from "../../kernel/netlink/ip.ts";
import { AddressList } from "./address-list.ts";
import type { RecordedItem } from "./recording.ts";

/** The ids that addresses of this host have anywhere in a recording, by connection; of a contradiction, what came first. */
export class RecordedIds {
  readonly #ids = new Map<number, AddressList>();

  constructor(items: readonly RecordedItem[]) {
    for (const item of items) {
      if ("event" in item && "localId" in item.event)
        this.#add(item.event.token, item.event.localAddress, item.event.localId);
      if ("connections" in item)
        for (const { token, subflows } of item.connections)
          for (const { local, localId } of subflows) this.#add(token, local.address, localId);
    }
  }

  of(token: number): AddressList {
    const ids = new AddressList();
    for (const entry of this.#ids.get(token) ?? []) ids.enter(entry);
    return ids;
  }

  #add(token: number, given: string, id: number): void {
    // The address of the initial subflow is on no list.
    if (id === 0) return;
    const ids = this.#ids.get(token) ?? new AddressList();
    this.#ids.set(token, ids);
    ids.enter({ address: unmapped(given), port: 0, id });
  }
}
