import assert from "node:assert/strict";
import { it } from "node:test";
import { ConnectionTable } from "../../../src/connections/table.ts";
import { eventFlags } from "../../../src/kernel/mptcp-pm-events.ts";

it("a list of sockets that is older than a change to backup does not undo it", () => {
  const table = new ConnectionTable(() => undefined);
  const ends = {
    localAddress: "10.0.1.2",
    localPort: 1,
    remoteAddress: "10.0.9.9",
    remotePort: 2,
    family: 2,
  };
  const known = { flags: eventFlags.of(), serverSide: false, denyJoinId0: false };
  table.apply({ event: "established", token: 7, ...ends, ...known });
  const connection = table.get(7);
  const [subflow] = connection?.subflows ?? [];
  assert.ok(connection && subflow);
  const changed = table.watchChanges();
  table.prioritized(connection, subflow, true);
  assert.deepEqual([...changed], [7]);
  assert.deepEqual([subflow.localBackup, subflow.backup], [true, true]);
});
