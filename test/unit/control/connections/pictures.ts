/** Tables as text, to compare them with the truth, and with what a listener made of their changes. */
import assert from "node:assert/strict";
import type { Connection, ConnectionChange } from "../../../../src/control/connections/connection.ts";
import type { ConnectionTable } from "../../../../src/control/connections/connection-table.ts";
import { endOf, linesOf } from "./builders.ts";

/** Knows of connections only what it was told, as it was when it was told. */
export class Listener {
  readonly #connections = new Map<Connection, { state: string; parts: Map<unknown, string> }>();

  hear(change: ConnectionChange): void {
    const { type, connection } = change;
    if (type === "newConnection") {
      const initial = connection.subflows.filter((subflow) => subflow.initial);
      const parts = new Map<unknown, string>(initial.map((subflow) => [subflow, subflowSummary(subflow)]));
      this.#connections.set(connection, { state: connection.state, parts });
      return;
    }
    const known = this.#connections.get(connection);
    assert.ok(known, "nothing is told of a connection before its beginning or after its end");
    const { parts } = known;
    if (type === "connectionClosed") this.#connections.delete(connection);
    else if (type === "connectionEstablished") known.state = connection.state;
    else if (change.type === "newAddress") parts.set(change.address.id, addressSummary(change.address));
    else if (change.type === "addressRemoved") parts.delete(change.address.id);
    else if (change.type === "subflowClosed") parts.delete(change.subflow);
    else if ("subflow" in change) parts.set(change.subflow, subflowSummary(change.subflow));
  }

  picture(): string[][] {
    return [...this.#connections]
      .map(([{ token }, { state, parts }]) => [`${token} ${state}`, ...[...parts.values()].toSorted()])
      .toSorted(byToken);
  }
}

/** What a listener can know of the table. */
export function summary(table: ConnectionTable): string[][] {
  return [...table]
    .map(({ token, state, subflows, announced }) => {
      const there = subflows.filter((subflow) => subflow.state === "established");
      const parts = [...there.map(subflowSummary), ...announced.map(addressSummary)];
      return [`${token} ${state}`, ...parts.toSorted()];
    })
    .toSorted(byToken);
}

function subflowSummary({ local, remote, backup }: Connection["subflows"][number]): string {
  return `${endOf(local)} > ${endOf(remote)}${backup ? " backup" : ""}`;
}

function addressSummary({ id, address, port }: Connection["announced"][number]): string {
  return `announced ${id} ${endOf({ address, port })}`;
}

export function picture(table: ConnectionTable): string[][] {
  return [...table].map((connection) => sorted(linesOf(connection))).toSorted(byToken);
}

/** The order of subflows and addresses is of no importance. */
export function sorted([head = "", ...rest]: readonly string[]): string[] {
  return [head, ...rest.toSorted()];
}

export function byToken([a = ""]: readonly string[], [b = ""]: readonly string[]): number {
  return Number.parseInt(a, 10) - Number.parseInt(b, 10);
}

/**
 * What sock_diag shows of it: not the announced addresses, nor which side is which once the initial subflow is gone.
 */
export function shown(lines: readonly string[]): string[] {
  const isShown = (line: string): boolean => !line.startsWith("announced");
  return sorted(lines.map((line) => line.replace(/ (client|server|either) /, " ")).filter(isShown));
}
