import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  announced,
  closed,
  found,
  foundWith,
  ofSubflow,
  opening,
  removed,
  subflowOutline,
} from "./builders.ts";
import { established, TableWatch } from "./table-watch.ts";

const head = "1 established client 10.0.0.1:40000 > 10.1.0.1:80";
const initial = "10.0.0.1:40000 id 0 > 10.1.0.1:80 id 0 established initial";
const second = "10.0.0.2:50000 id 1 > 10.1.0.1:80 id 0 established";

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
