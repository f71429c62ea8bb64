import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Connection, ConnectionChange } from "../../../src/connections/connection.ts";
import { foundConnections } from "../../../src/connections/found.ts";
import type { ConnectionTable } from "../../../src/connections/table.ts";
import { endOf, linesOf } from "./builders.ts";
import { kernelSteps, requestSteps, SimulatedKernel, type StepKind } from "./simulated-kernel.ts";
import { TableWatch } from "./table-watch.ts";

function histories(kinds: readonly StepKind[]) {
  const step = fc.record({ kind: fc.constantFrom(...kinds), pick: fc.nat(11), flag: fc.boolean() });
  return fc.array(step, { maxLength: 60, size: "max" });
}

/** A table together with what a listener has made of its changes. */
function watched(): { readonly watch: TableWatch; readonly listener: Listener } {
  const listener = new Listener();
  return { watch: new TableWatch((change) => listener.hear(change)), listener };
}

describe("the table is what the kernel has", () => {
  it("after every event, whatever happens; and so is what a listener made of its changes", () => {
    fc.assert(
      fc.property(histories([...kernelSteps, ...requestSteps]), (steps) => {
        const { watch, listener } = watched();
        const kernel = new SimulatedKernel((token, request) =>
          watch.table.connect(watch.get(token), request),
        );
        for (const step of steps) {
          watch.apply(...kernel.step(step));
          assert.deepEqual(picture(watch.table), kernel.truth().map(sorted));
          assert.deepEqual(listener.picture(), summary(watch.table));
        }
        for (const connection of foundConnections(kernel.outlines()))
          assert.equal(
            watch.table.reconcile(connection, () => undefined),
            false,
          );
        assert.deepEqual(picture(watch.table), kernel.truth().map(sorted), "there was nothing to mend");
      }),
      { numRuns: 300 },
    );
  });

  it("after two readings, whatever events were lost; and so is what a listener made of its changes", () => {
    const lossy = fc.tuple(
      histories(kernelSteps),
      fc.array(fc.boolean(), { maxLength: 60, size: "max" }),
      fc.nat(60),
    );
    fc.assert(
      fc.property(lossy, ([steps, losses, prefix]) => {
        const { watch, listener } = watched();
        const kernel = new SimulatedKernel();
        steps.forEach((step, index) => {
          const events = kernel.step(step);
          if (index < prefix && losses[index] !== true) for (const event of events) watch.table.apply(event);
        });
        const found = foundConnections(kernel.outlines());
        watch.read(...found);
        assert.deepEqual(listener.picture(), summary(watch.table));
        assert.ok(watch.read(...found), "after two nothing is missing");
        const shown = (lines: readonly string[]) => sorted(lines.map(withoutSide).filter(isShown));
        assert.deepEqual(picture(watch.table).map(shown), kernel.truth().map(shown).toSorted(byToken));
        assert.deepEqual(listener.picture(), summary(watch.table));
        watch.told();
        watch.read(...found);
        assert.deepEqual(watch.told(), [], "a third one changes nothing");
      }),
      { numRuns: 500 },
    );
  });
});

/** Knows of connections only what it was told, as it was when it was told. */
class Listener {
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
function summary(table: ConnectionTable): string[][] {
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

function picture(table: ConnectionTable): string[][] {
  return [...table].map((connection) => sorted(linesOf(connection))).toSorted(byToken);
}

/** The order of subflows and addresses is of no importance. */
function sorted([head = "", ...rest]: readonly string[]): string[] {
  return [head, ...rest.toSorted()];
}

function byToken([a = ""]: readonly string[], [b = ""]: readonly string[]): number {
  return Number.parseInt(a, 10) - Number.parseInt(b, 10);
}

/** Announced addresses are not shown by sock_diag. */
function isShown(line: string): boolean {
  return !line.startsWith("announced");
}

/** Nor is which side is which, once the initial subflow is gone. */
function withoutSide(line: string): string {
  return line.replace(/ (client|server|either) /, " ");
}
