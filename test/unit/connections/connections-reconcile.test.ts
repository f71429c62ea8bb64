import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Facts } from "../../../src/connections/table.ts";
import {
  announced,
  closed,
  found,
  foundWith,
  initialOutline,
  linesOf,
  ofSubflow,
  opening,
  removed,
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

describe("what is missing from a reading", () => {
  it("goes when it is missing twice: a listing may leave out what is there", () => {
    const watch = established();
    watch.apply(ofSubflow("subflowEstablished", { error: 104 }));
    const [, subflow] = watch.get().subflows;
    watch.told();
    assert.equal(watch.read(foundWith()), false);
    assert.deepEqual(watch.lines().slice(2), [second]);
    assert.deepEqual(watch.told(), []);
    assert.equal(watch.read(foundWith()), true);
    assert.deepEqual(watch.told(), ["subflowClosed 1: 10.0.0.2:50000 > 10.1.0.1:80"]);
    assert.deepEqual(watch.lines(), [head, initial]);
    assert.equal(subflow?.state, "closed");
  });

  it("is out of the list before its end is told, and so is what is new in it", () => {
    const seen: string[][] = [];
    const watch = new TableWatch(({ type }) => {
      if (type === "subflowClosed") seen.push(watch.lines());
    });
    watch.apply(opening("established"), ofSubflow("subflowEstablished"));
    const fresh = subflowOutline({ local: { address: "10.0.0.2", port: 50001 } });
    watch.read(foundWith());
    watch.read(foundWith(fresh));
    assert.deepEqual(seen, [[head, initial, "10.0.0.2:50001 id 1 > 10.1.0.1:80 id 0 established"]]);
  });

  it("begins anew to be missing when it was there meanwhile", () => {
    const watch = established();
    watch.apply(ofSubflow("subflowEstablished"));
    for (const reading of [foundWith(), foundWith(subflowOutline()), foundWith()]) watch.read(reading);
    assert.deepEqual(watch.lines().slice(2), [second]);
  });

  it("ends a connection when all of it is missing twice, and not before", () => {
    const watch = established();
    assert.equal(watch.read(), false);
    assert.equal(watch.get().state, "established");
    assert.ok(watch.read(found()));
    assert.equal(watch.read(), false, "it was there meanwhile");
    assert.deepEqual(watch.told(), []);
    assert.equal(watch.read(), true);
    assert.deepEqual(watch.told(), ["connectionClosed 1"]);
    assert.equal(watch.table.size, 0);
  });
});

describe("changes that are watched", () => {
  it("are those of any event, and of what is asked for or given up", () => {
    const request = {
      local: { address: "10.0.0.2", port: 0 },
      localId: 1,
      remote: { address: "10.1.0.1", port: 80 },
      ifIndex: 0,
      localBackup: false,
    };
    for (const change of [
      (watch: TableWatch) => watch.apply(opening("created")),
      (watch: TableWatch) => watch.apply(opening("established")),
      (watch: TableWatch) => watch.apply(closed()),
      (watch: TableWatch) => watch.apply(announced(3, "10.1.0.2")),
      (watch: TableWatch) => watch.apply(removed(3)),
      (watch: TableWatch) => watch.apply(ofSubflow("subflowEstablished")),
      (watch: TableWatch) => watch.apply(ofSubflow("subflowClosed")),
      (watch: TableWatch) => watch.apply(ofSubflow("subflowPriority")),
      (watch: TableWatch) => watch.table.connect(watch.get(), request),
    ]) {
      const watch = established();
      watch.apply(opening("created", { token: 2 }));
      const changed = watch.table.watchChanges();
      assert.deepEqual([...changed], []);
      change(watch);
      assert.deepEqual([...changed], [1], String(change));
    }
    const watch = established();
    const subflow = watch.table.connect(watch.get(), request);
    const changed = watch.table.watchChanges();
    watch.table.abandon(watch.get(), subflow);
    assert.deepEqual([...changed], [1]);
  });

  it("are new connections, too, and not what readings change or events of unknown ones", () => {
    const watch = established();
    const changed = watch.table.watchChanges();
    watch.read(found(), found({ token: 3 }));
    watch.table.apply(closed(9));
    assert.deepEqual([...changed], []);
    watch.apply(opening("created", { token: 2 }));
    assert.deepEqual([...changed], [2]);
  });

  it("are watched until they are watched anew", () => {
    const watch = established();
    const before = watch.table.watchChanges();
    watch.table.watchChanges();
    watch.apply(announced(3, "10.1.0.2"));
    assert.deepEqual([...before], []);
  });
});
