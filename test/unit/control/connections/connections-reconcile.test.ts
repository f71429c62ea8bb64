import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Facts } from "../../../../src/control/connections/connection-table.ts";
import {
  announced,
  found,
  foundWith,
  initialOutline,
  linesOf,
  ofSubflow,
  opening,
  subflowOutline,
} from "./builders.ts";
import { established, TableWatch } from "./table-watch.ts";

const head = "1 established client 10.0.0.1:40000 > 10.1.0.1:80";
const initial = "10.0.0.1:40000 id 0 > 10.1.0.1:80 id 0 established initial";
const second = "10.0.0.2:50000 id 1 > 10.1.0.1:80 id 0 established";

const facts: Facts = {
  serverSide: true,
  denyJoinId0: true,
  announced: [
    { id: 3, address: "10.1.0.2", port: 80 },
    { id: 4, address: "10.1.0.3", port: 81 },
  ],
  announcedIsComplete: true,
};

describe("a connection that is found", () => {
  it("is adopted: it begins, is established, has its addresses, then its subflows", () => {
    const watch = new TableWatch();
    const missing = watch.table.reconcile(foundWith(subflowOutline()), () => facts);
    assert.equal(missing, false);
    assert.deepEqual(watch.told(), [
      "newConnection 1",
      "connectionEstablished 1",
      "newAddress 1: 3 10.1.0.2:80",
      "newAddress 1: 4 10.1.0.3:81",
      "newSubflow 1: 10.0.0.2:50000 > 10.1.0.1:80",
    ]);
  });

  it("is whole before the first of that is told", () => {
    const seen: string[][] = [];
    const watch = new TableWatch(({ connection }) => seen.push(linesOf(watch.get(connection.token))));
    watch.table.reconcile(foundWith(subflowOutline()), () => facts);
    const rest = [initial, second, "announced 3 10.1.0.2:80", "announced 4 10.1.0.3:81"];
    const ends = "client deny-join-id0 10.0.0.1:40000 > 10.1.0.1:80";
    assert.deepEqual(seen[0], [`1 created ${ends}`, ...rest]);
    assert.deepEqual(seen.slice(1), Array(4).fill([`1 established ${ends}`, ...rest]));
    assert.ok(watch.get().announcedIsComplete);
  });

  it("has from its sockets which side is which, and from what was kept only where these do not tell", () => {
    const watch = new TableWatch();
    watch.table.reconcile(found({ subflows: [subflowOutline()] }), () => facts);
    assert.equal(watch.get().serverSide, true);
    watch.table.reconcile(found({ token: 2 }), () => facts);
    assert.equal(watch.get(2).serverSide, false);
  });

  it("has only what sock_diag shows where nothing was kept", () => {
    const watch = new TableWatch();
    watch.read(found({ subflows: [] }));
    const { serverSide, denyJoinId0, announced, announcedIsComplete, pathManager } = watch.get();
    assert.deepEqual(
      { serverSide, denyJoinId0, announced, announcedIsComplete, pathManager },
      {
        serverSide: "unknown",
        denyJoinId0: "unknown",
        announced: [],
        announcedIsComplete: false,
        pathManager: "unknown",
      },
    );
  });

  it("is not established before its handshake is confirmed, and its subflows are told when they are there", () => {
    const watch = new TableWatch();
    const handshake = { ...found(), established: false };
    watch.table.reconcile(handshake, () => undefined);
    assert.deepEqual(watch.told(), ["newConnection 1"]);
    watch.read(foundWith(subflowOutline({ state: "syn-sent" })));
    assert.deepEqual(watch.told(), ["connectionEstablished 1"]);
    watch.read(foundWith(subflowOutline()));
    assert.deepEqual(watch.told(), ["newSubflow 1: 10.0.0.2:50000 > 10.1.0.1:80"]);
  });

  it("asks for what was kept only if it is not known yet", () => {
    const watch = established();
    watch.table.reconcile(found(), () => assert.fail("it is known"));
  });

  it("and confirmed later may have announced addresses before", () => {
    const watch = new TableWatch();
    watch.table.reconcile({ ...found(), established: false }, () => undefined);
    watch.apply(opening("established"));
    assert.equal(watch.get().announcedIsComplete, false);
  });

  it("while it connects is as its events say when they come", () => {
    const watch = new TableWatch();
    const subflows = [initialOutline({ state: "syn-sent", flags: ["capableLocal"] })];
    watch.table.reconcile({ ...found({ subflows }), established: false }, () => undefined);
    assert.match(watch.lines()[1] ?? "", /connecting initial/);
    watch.apply(opening("created"), opening("established"));
    assert.deepEqual(watch.lines(), [head, initial]);
    assert.ok(watch.get().announcedIsComplete, "it has been heard from its first word");
    assert.deepEqual(watch.told(), ["newConnection 1", "connectionEstablished 1"]);
  });
});

describe("a reading mends", () => {
  it("nothing where nothing is wrong", () => {
    const watch = established();
    watch.apply(ofSubflow("subflowEstablished"), announced(3, "10.1.0.2"));
    const before = watch.lines();
    watch.told();
    for (let reading = 0; reading < 3; reading++) assert.ok(watch.read(foundWith(subflowOutline())));
    assert.deepEqual(watch.lines(), before);
    assert.deepEqual(watch.told(), []);
  });

  it("subflows that nobody told of, when they are established", () => {
    const watch = established();
    const joining = { local: { address: "10.0.0.3", port: 50001 }, localId: 2, state: "syn-sent" } as const;
    watch.read(foundWith(subflowOutline(), subflowOutline(joining)));
    assert.deepEqual(watch.told(), ["newSubflow 1: 10.0.0.2:50000 > 10.1.0.1:80"]);
    assert.deepEqual(watch.lines().slice(2), [second, "10.0.0.3:50001 id 2 > 10.1.0.1:80 id 0 connecting"]);
    watch.read(foundWith(subflowOutline(), subflowOutline({ ...joining, state: "established" })));
    assert.deepEqual(watch.told(), ["newSubflow 1: 10.0.0.3:50001 > 10.1.0.1:80"]);
  });

  it("priorities of either side", () => {
    const watch = established();
    watch.apply(ofSubflow("subflowEstablished"));
    watch.told();
    const told: string[] = [];
    for (const flags of [["backupLocal"], ["backupLocal", "backupRemote"], ["backupRemote"], []] as const) {
      watch.read(foundWith(subflowOutline({ flags })));
      told.push(...watch.told(), watch.lines()[2] ?? "");
    }
    const change = "subflowPriority 1: 10.0.0.2:50000 > 10.1.0.1:80";
    assert.deepEqual(told, [
      ...[`${change} backup`, `${second} backup here`],
      ...[`${change} backup`, `${second} backup here backup there`],
      ...[`${change} backup`, `${second} backup there`],
      ...[change, second],
    ]);
  });

  it("without a word, which interface the initial subflow is bound to: no event tells that", () => {
    const watch = established();
    watch.read(found({ subflows: [initialOutline({ ifIndex: 3 })] }));
    assert.deepEqual(watch.lines().slice(1), [`${initial} dev 3`]);
    assert.deepEqual(watch.told(), []);
  });

  it("what it could not tell at first: which side is which, and whether it is established", () => {
    const watch = new TableWatch();
    watch.table.reconcile(
      { ...found({ subflows: [subflowOutline()] }), established: false },
      () => undefined,
    );
    assert.equal(watch.get().serverSide, "unknown");
    watch.read(foundWith(subflowOutline()));
    assert.deepEqual(watch.lines().toSorted(), [initial, second, head].toSorted());
  });

  it("whether an event has told it before does not matter", () => {
    const watch = established({ serverSide: true });
    watch.read(found());
    assert.equal(watch.get().serverSide, true);
  });
});
