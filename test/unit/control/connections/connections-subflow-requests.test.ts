import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe, it } from "node:test";
import {
  type CloseReason,
  type ConnectionChange,
  ConnectionError,
} from "../../../../src/control/connections/connection.ts";
import type {
  ConnectionRecord,
  SubflowRecord,
} from "../../../../src/control/connections/connection-record.ts";
import { SubflowRequests } from "../../../../src/control/connections/subflow-requests.ts";
import { CountingClock } from "./commands-world.ts";
import { established } from "./table-watch.ts";

class World {
  readonly clock = new CountingClock();
  readonly requests = new SubflowRequests(this.clock);
  readonly abort = new AbortController();
  readonly connection: ConnectionRecord = established().get();

  /** Waits for a subflow; gives it with its outcome: "established", or what it failed with. */
  ask(): { readonly subflow: SubflowRecord; readonly outcome: Promise<unknown> } {
    const [subflow] = established().get().subflows;
    assert.ok(subflow);
    const { connection } = this;
    const wait = { what: () => "create it", connection, subflow, deadline: 100, signal: this.abort.signal };
    const outcome = this.requests.wait(wait).then(
      () => "established",
      (error) => error,
    );
    return { subflow, outcome };
  }

  notice(type: "newSubflow" | "subflowPriority", subflow: SubflowRecord): boolean {
    return this.requests.noticed({ type, connection: this.connection, subflow });
  }

  close(subflow: SubflowRecord, reason: CloseReason = {}): boolean {
    return this.requests.noticed({ type: "subflowClosed", connection: this.connection, subflow, reason });
  }

  closeConnection(): boolean {
    return this.requests.noticed({ type: "connectionClosed", connection: this.connection });
  }

  /** Nothing waits any more for the clock when the deadline is over; one listener for all is what a signal has. */
  assertIdle(): void {
    this.clock.advance(100);
    assert.equal(this.clock.waiting, 0);
    assert.ok(getEventListeners(this.abort.signal, "abort").length <= 1);
  }
}

async function failure(outcome: Promise<unknown>): Promise<ConnectionError> {
  const error = await outcome;
  assert.ok(error instanceof ConnectionError, String(error));
  assert.equal(error.what, "create it");
  return error;
}

describe("whoever has asked for a subflow", () => {
  it("hears when it is established, as everybody does", async () => {
    const world = new World();
    const { subflow, outcome } = world.ask();
    assert.equal(world.notice("newSubflow", subflow), false);
    assert.equal(await outcome, "established");
    world.assertIdle();
  });

  it("alone hears why it failed", async () => {
    for (const [reason, code, words] of [
      [{ error: 111, code: "ECONNREFUSED" }, "ECONNREFUSED", "the peer refuses"],
      [{ code: "ETIMEDOUT" }, "ETIMEDOUT", "it was closed before it was established"],
      [{}, "ECONNRESET", "it was closed before it was established"],
      [
        { code: "ECONNRESET", resetReason: 3, resetFlags: 0 },
        "ECONNRESET",
        "it was closed before it was established: administratively prohibited",
      ],
      [{ code: "ECONNREFUSED", resetReason: 2 }, "ECONNREFUSED", "the peer refuses: lack of resources"],
      [{ resetReason: 0 }, "ECONNRESET", "it was closed before it was established"],
      [{ resetReason: 99 }, "ECONNRESET", "it was closed before it was established"],
    ] as const) {
      const world = new World();
      const { subflow, outcome } = world.ask();
      assert.equal(world.close(subflow, reason), true);
      const error = await failure(outcome);
      assert.equal(error.message, `cannot create it: ${words} (${code})`);
      assert.equal(error.code, code);
      world.assertIdle();
    }
  });

  it("hears of each reason that a reset may give", async () => {
    const words = new Set<string>();
    for (let resetReason = 1; resetReason <= 6; resetReason++) {
      const world = new World();
      const { subflow, outcome } = world.ask();
      world.close(subflow, { resetReason });
      const { message } = await failure(outcome);
      assert.match(message, /before it was established: \w/);
      words.add(message);
    }
    assert.equal(words.size, 6);
  });

  it("hears when the connection is closed first, for every one that was asked for", async () => {
    const world = new World();
    const [first, second] = [world.ask(), world.ask()];
    assert.equal(world.closeConnection(), false, "everybody hears that");
    for (const { outcome } of [first, second]) assert.equal((await failure(outcome)).code, "ECONNABORTED");
    world.assertIdle();
  });

  it("hears nothing of other subflows and other connections", async () => {
    const world = new World();
    const { outcome } = world.ask();
    const [stranger] = established().get().subflows;
    const other = established().get();
    assert.ok(stranger);
    const changes: ConnectionChange[] = [
      { type: "newSubflow", connection: world.connection, subflow: stranger },
      { type: "subflowClosed", connection: world.connection, subflow: stranger, reason: {} },
      { type: "connectionEstablished", connection: world.connection },
      { type: "connectionClosed", connection: other },
    ];
    for (const change of changes) assert.equal(world.requests.noticed(change), false, change.type);
    world.clock.advance(99);
    assert.equal(await Promise.race([outcome, "nothing yet"]), "nothing yet");
  });

  it("hears at the deadline that nothing was heard, and not before", async () => {
    const world = new World();
    const { outcome } = world.ask();
    world.clock.advance(99);
    assert.equal(await Promise.race([outcome, "nothing yet"]), "nothing yet");
    world.clock.advance(1);
    const { code, message } = await failure(outcome);
    assert.deepEqual(
      [code, message],
      ["ETIMEDOUT", "cannot create it: the peer did not answer in 100 ms (ETIMEDOUT)"],
    );
    world.assertIdle();
  });

  it("may give up, before and while it waits, and gets its own reason back", async () => {
    for (const isEarly of [true, false]) {
      const world = new World();
      const reason = new Error("enough");
      if (isEarly) world.abort.abort(reason);
      const { outcome } = world.ask();
      world.abort.abort(reason);
      assert.equal(await outcome, reason);
      world.assertIdle();
    }
  });

  it("is forgotten with the error that is given, or as if it had worked", async () => {
    const world = new World();
    const [failed, done] = [world.ask(), world.ask()];
    const error = new Error("the kernel was not asked");
    world.requests.forget(world.connection, failed.subflow, error);
    world.requests.forget(world.connection, done.subflow, undefined);
    assert.equal(await failed.outcome, error);
    assert.equal(await done.outcome, "established");
    world.assertIdle();
  });
});

describe("of a subflow that nobody waits for any more", () => {
  it("the end is still nobody else's business, once", async () => {
    const ends = [
      (world: World) => world.clock.advance(100),
      (world: World) => world.abort.abort(new Error("enough")),
    ];
    for (const end of ends) {
      const world = new World();
      const { subflow, outcome } = world.ask();
      end(world);
      await outcome;
      assert.equal(world.close(subflow), true);
      assert.equal(world.close(subflow), false);
    }
  });

  it("the end is everybody's business if it was established", async () => {
    const world = new World();
    const { subflow, outcome } = world.ask();
    world.notice("newSubflow", subflow);
    assert.equal(world.notice("subflowPriority", subflow), false);
    assert.equal(world.close(subflow), false);
    assert.equal(await outcome, "established");
  });

  it("nothing is remembered when its connection is closed", async () => {
    const world = new World();
    const { subflow, outcome } = world.ask();
    world.closeConnection();
    await outcome;
    assert.equal(world.close(subflow), false);
  });
});
