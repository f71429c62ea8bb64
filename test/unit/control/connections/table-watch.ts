import assert from "node:assert/strict";
import type { ConnectionChange } from "../../../../src/control/connections/connection.ts";
import type { ConnectionRecord } from "../../../../src/control/connections/connection-record.ts";
import { ConnectionTable } from "../../../../src/control/connections/connection-table.ts";
import type { EventOfConnection } from "../../../../src/control/connections/from-events.ts";
import type { ListedConnection } from "../../../../src/control/connections/from-sock-diag.ts";
import { changeLine, linesOf, opening, TOKEN } from "./builders.ts";

/** A table, and what it has told. */
export class TableWatch {
  readonly table: ConnectionTable;
  #told: string[] = [];

  constructor(onChange: (change: ConnectionChange) => void = () => undefined) {
    this.table = new ConnectionTable((change) => {
      this.#told.push(changeLine(change));
      onChange(change);
    });
  }

  /** The changes since the last call. */
  told(): string[] {
    return this.#told.splice(0);
  }

  /** Applies events that must find their connection. */
  apply(...events: readonly EventOfConnection[]): void {
    for (const event of events) assert.ok(this.table.apply(event), `${event.event} finds its connection`);
  }

  get(token = TOKEN): ConnectionRecord {
    const connection = this.table.get(token);
    assert.ok(connection, `connection ${token} is there`);
    return connection;
  }

  lines(token = TOKEN): string[] {
    return linesOf(this.get(token));
  }

  /** Makes the table what was found, as a reading of all sockets does. */
  read(...found: readonly ListedConnection[]): boolean {
    let complete = true;
    for (const connection of found) if (this.table.reconcile(connection, () => undefined)) complete = false;
    const tokens = new Set(found.map(({ token }) => token));
    for (const connection of [...this.table])
      if (!tokens.has(connection.token) && this.table.miss(connection)) complete = false;
    return complete;
  }
}

/** With one established connection, and nothing told of it any more. */
export function established(given: Parameters<typeof opening>[1] = {}): TableWatch {
  const watch = new TableWatch();
  watch.apply(opening("created", given), opening("established", given));
  watch.told();
  return watch;
}
