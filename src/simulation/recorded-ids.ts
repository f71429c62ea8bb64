import { unmapped } from "../netlink/ip.ts";
import type { SimulatedConnection } from "./kernel.ts";
import type { RecordedItem } from "./recording.ts";

type Ids = SimulatedConnection["ids"];

/** The ids that addresses of this host have anywhere in a recording, by connection; of a contradiction, what came first. */
export class RecordedIds {
  readonly #ids = new Map<number, Ids>();

  constructor(items: readonly RecordedItem[]) {
    for (const item of items) {
      if ("event" in item && "localId" in item.event)
        this.#add(item.event.token, item.event.localAddress, item.event.localId);
      if ("connections" in item)
        for (const { token, subflows } of item.connections)
          for (const { local, localId } of subflows) this.#add(token, local.address, localId);
    }
  }

  of(token: number): Ids {
    return [...(this.#ids.get(token) ?? [])];
  }

  #add(token: number, given: string, id: number): void {
    const address = unmapped(given);
    const known = this.#ids.get(token) ?? [];
    // The address of the initial subflow is on no list.
    if (id === 0 || known.some((other) => other.id === id || other.address === address)) return;
    this.#ids.set(token, [...known, { address, port: 0, id }]);
  }
}
