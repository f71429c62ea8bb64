import type { ConnectionTable, Facts } from "../../control/connections/connection-table.ts";
import type { ListedConnection } from "../../control/connections/from-sock-diag.ts";
import type { ConnectionMemory } from "../../control/connections/tracker.ts";

/** Keeps what a path manager's next life has to know, as the daemon's checkpoint does in a file. */
export class SimulatedMemory {
  #facts = new Map<number, Facts>();

  of(table: ConnectionTable): ConnectionMemory {
    const keep = (): void => {
      this.#facts = new Map(Array.from(table, (connection) => [connection.token, { ...connection }]));
    };
    return {
      load: () => undefined,
      factsOf: ({ token }: ListedConnection) => this.#facts.get(token),
      begin: () => undefined,
      record: () => undefined,
      flush: keep,
    };
  }
}
