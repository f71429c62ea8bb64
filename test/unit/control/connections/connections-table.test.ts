import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Connection } from "../../../../src/control/connections/connection.ts";
import { announced, closed, linesOf, ofSubflow, opening, removed } from "./builders.ts";
import { established, TableWatch } from "./table-watch.ts";

const initial = "10.0.0.1:40000 id 0 > 10.1.0.1:80 id 0 established initial";

describe("the table, of a connection", () => {
  it("tells that it begins and that it is established, each once and in this order", () => {
    const [created, confirmed] = [opening("created"), opening("established")];
    for (const events of [
      [created, confirmed],
      [created, created, confirmed, confirmed],
      // The first got lost, or is late.
      [confirmed],
      [confirmed, created],
    ]) {
      const watch = new TableWatch();
      watch.apply(...events);
      assert.deepEqual(watch.told(), ["newConnection 1", "connectionEstablished 1"]);
      assert.deepEqual(watch.lines(), ["1 established client 10.0.0.1:40000 > 10.1.0.1:80", initial]);
      assert.ok(watch.get().announcedIsComplete);
    }
  });

  it("has all that is known of it when it tells that it begins", () => {
    const seen: string[][] = [];
    const watch = new TableWatch(({ connection: { token, announcedIsComplete } }) => {
      assert.ok(announcedIsComplete);
      seen.push(linesOf(watch.get(token)));
    });
    watch.apply(opening("created", { serverSide: true, denyJoinId0: true }));
    assert.deepEqual(seen, [["1 created server deny-join-id0 10.0.0.1:40000 > 10.1.0.1:80", initial]]);
  });

  it("keeps one object from its first event to its last", () => {
    const objects = new Set<Connection>();
    const watch = new TableWatch(({ connection }) => objects.add(connection));
    watch.apply(opening("created"), opening("established"), ofSubflow("subflowEstablished"), closed());
    assert.equal(objects.size, 1);
  });

  it("believes the confirmation about the flags", () => {
    const watch = new TableWatch();
    watch.apply(opening("created"), opening("established", { serverSide: true, denyJoinId0: true }));
    assert.match(watch.lines()[0] ?? "", /server deny-join-id0/);
  });

  it("tells its end once, when it is out of the table and nothing of it is left", () => {
    const ends: unknown[] = [];
    const watch = new TableWatch(({ type, connection }) => {
      if (type !== "connectionClosed") return;
      const { state, subflows, announced } = connection;
      ends.push({ state, subflows, announced, size: watch.table.size });
    });
    watch.apply(opening("established"), ofSubflow("subflowEstablished"), announced(3, "10.1.0.2"));
    const { subflows } = watch.get();
    watch.told();
    watch.apply(closed());
    assert.deepEqual(watch.told(), ["connectionClosed 1"]);
    assert.deepEqual(ends, [{ state: "closed", subflows: [], announced: [], size: 0 }]);
    assert.deepEqual(
      subflows.map(({ state }) => state),
      ["closed", "closed"],
    );
    assert.equal(watch.table.apply(closed()), false);
    assert.deepEqual(watch.told(), []);
  });

  it("says that it does not know it, and changes and tells nothing", () => {
    const watch = established();
    const token = 2;
    for (const event of [
      closed(token),
      announced(1, "10.1.0.2", 80, token),
      removed(1, token),
      ofSubflow("subflowEstablished", { token }),
      ofSubflow("subflowClosed", { token }),
      ofSubflow("subflowPriority", { token }),
    ])
      assert.equal(watch.table.apply(event), false, event.event);
    assert.deepEqual(watch.told(), []);
    assert.equal(watch.table.size, 1);
  });

  it("keeps each apart from the others", () => {
    const watch = established();
    watch.apply(opening("created", { token: 2, localPort: 40001 }));
    watch.apply(ofSubflow("subflowEstablished", { token: 2 }), closed(1));
    assert.deepEqual(
      [...watch.table].map(({ token, subflows }) => [token, subflows.length]),
      [[2, 2]],
    );
    assert.equal(watch.table.get(1), undefined);
  });
});

describe("the table, of announced addresses", () => {
  it("has those that are announced and not withdrawn, and tells each once", () => {
    const watch = established();
    watch.apply(announced(3, "10.1.0.2"), announced(3, "10.1.0.2"), announced(4, "2001:db8::1", 443));
    watch.apply(removed(3));
    assert.deepEqual(watch.told(), [
      "newAddress 1: 3 10.1.0.2:80",
      "newAddress 1: 4 [2001:db8::1]:443",
      "addressRemoved 1: 3 10.1.0.2:80",
    ]);
    assert.deepEqual(watch.lines().slice(2), ["announced 4 [2001:db8::1]:443"]);
  });

  it("replaces one by another with its id, be it only another port", () => {
    const watch = established();
    watch.apply(announced(3, "10.1.0.2"), announced(3, "10.1.0.2", 81), announced(3, "10.1.0.3", 81));
    assert.deepEqual(watch.told().slice(1), ["newAddress 1: 3 10.1.0.2:81", "newAddress 1: 3 10.1.0.3:81"]);
    assert.deepEqual(watch.lines().slice(2), ["announced 3 10.1.0.3:81"]);
  });

  it("tells the id alone when one goes that it never had", () => {
    const watch = established();
    watch.apply(removed(9));
    assert.deepEqual(watch.told(), ["addressRemoved 1: 9"]);
  });
});
