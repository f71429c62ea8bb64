import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { IdBook } from "../../../../src/control/connections/address-ids.ts";
import { Announcements } from "../../../../src/control/connections/announcements.ts";
import type { ConnectionChange } from "../../../../src/control/connections/connection.ts";
import { ConnectionTable } from "../../../../src/control/connections/connection-table.ts";
import { Listeners } from "../../../../src/control/connections/listeners.ts";
import { Subflows } from "../../../../src/control/connections/subflows.ts";
import { eventFlags } from "../../../../src/kernel/mptcp-pm-events.ts";
import { KernelError } from "../../../../src/kernel/netlink/errors.ts";
import { VirtualClock } from "../../../../src/path-managers/simulation/clock.ts";

const ends = {
  ...{ token: 1, family: 2, localAddress: "10.0.1.2", remoteAddress: "10.0.1.1", remotePort: 443 },
} as const;

/** A connection, and a kernel that notes what it is asked for and refuses the first `refusals` requests. */
function world(refusals = 0) {
  const asked: object[] = [];
  const ask = (given: object): void => {
    asked.push(given);
    if (asked.length <= refusals)
      throw new KernelError("create subflow", 22, { message: "did not match address and id" });
  };
  const clock = new VirtualClock();
  const listeners: ((change: ConnectionChange) => void)[] = [];
  const table = new ConnectionTable((change) => {
    for (const listener of listeners) listener(change);
  });
  const kernel = {
    createSubflow: async (given: object) => ask(given),
    destroySubflow: async () => undefined,
    setSubflowFlags: async () => undefined,
    announce: async (given: object) => ask(given),
    remove: async () => undefined,
    dumpEndpoints: async () => [],
  };
  const ids = new IdBook(kernel);
  const sockets = { dumpOutlines: async () => [] };
  const subflows = new Subflows({ kernel, sockets, table, ids, clock });
  const announcements = new Announcements({ kernel, ids, listeners: new Listeners(), subflows, clock });
  listeners.push((change) => void subflows.noticed(change));
  const opening = { ...ends, localPort: 4000, flags: eventFlags.of(), serverSide: false, denyJoinId0: false };
  table.apply({ event: "established", ...opening });
  const connection = table.get(1);
  assert.ok(connection);
  return { asked, table, connection, subflows, announcements };
}

describe("a subflow that is asked for", () => {
  it("has the address id that it is asked for with, which then is the address' own", async () => {
    const { asked, connection, subflows } = world();
    const to = { address: "10.0.9.9", port: 443 };
    await subflows.begin(connection, { from: { address: "10.0.2.2" }, id: 7, to });
    await subflows.begin(connection, { from: { address: "10.0.2.2" }, to });
    await subflows.begin(connection, { from: { address: "10.0.3.2" }, to });
    const local = (address: string, id: number) => ({ token: 1, local: { address, id }, remote: to });
    assert.deepEqual(asked, [local("10.0.2.2", 7), local("10.0.2.2", 7), local("10.0.3.2", 1)]);
  });

  it("gets no other id than that, though the kernel refuses it", async () => {
    const { asked, connection, subflows } = world(1);
    const wanted = { from: { address: "10.0.2.2" }, id: 7 };
    await assert.rejects(subflows.begin(connection, wanted), /did not match address and id/);
    assert.equal(asked.length, 1);
    assert.deepEqual(connection.subflows.length, 1, "nothing is left of it");
  });

  it("is begun when the kernel has taken it, and created when the peer has", async () => {
    const { table, connection, subflows } = world();
    const wanted = { from: { address: "10.0.2.2" } };
    const begun = await subflows.begin(connection, wanted);
    assert.equal(begun.state, "connecting");
    const created = subflows.create(connection, { from: { address: "10.0.3.2" } });
    const event = { event: "subflowEstablished", ...ends, remoteId: 0, backup: false, ifIndex: 0 } as const;
    table.apply({ ...event, localAddress: "10.0.3.2", localPort: 5, localId: 2 });
    assert.deepEqual((await created).local, { address: "10.0.3.2", port: 5 });
    assert.equal(begun.state, "connecting");
  });

  it("may be asked for by addresses as dual-stack sockets have them", async () => {
    const { asked, table, connection, subflows } = world();
    const created = subflows.create(connection, {
      from: { address: "::ffff:10.0.2.2" },
      to: { address: "::ffff:10.0.1.1" },
    });
    const event = { event: "subflowEstablished", ...ends, remoteId: 0, backup: false, ifIndex: 0 } as const;
    table.apply({ ...event, localAddress: "10.0.2.2", localPort: 5, localId: 1 });
    assert.equal((await created).state, "established");
    assert.deepEqual(asked, [
      { token: 1, local: { address: "10.0.2.2", id: 1 }, remote: { address: "10.0.1.1", port: 443 } },
    ]);
  });
});

describe("an address that is announced", () => {
  it("has the id that it is asked for with", async () => {
    const { asked, connection, announcements } = world();
    const announced = await announcements.announce(connection, { address: "::ffff:10.0.2.2", id: 9 });
    assert.deepEqual(announced, { address: "10.0.2.2", port: 0, id: 9 });
    assert.deepEqual(asked, [{ token: 1, address: "10.0.2.2", id: 9 }]);
  });
});
