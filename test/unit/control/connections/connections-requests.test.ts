import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SubflowRecord } from "../../../../src/control/connections/connection-record.ts";
import type { SubflowRequest } from "../../../../src/control/connections/connection-updates.ts";
import { AF_INET6 } from "../../../../src/kernel/socket-numbers.ts";
import { foundWith, ofSubflow, subflowLine, subflowOutline } from "./builders.ts";
import { established, type TableWatch } from "./table-watch.ts";

/** As the table is told before the kernel is asked for it. */
function request(watch: TableWatch, given: Partial<SubflowRequest> = {}): SubflowRecord {
  return watch.table.connect(watch.get(), {
    local: { address: "10.0.0.2", port: 0 },
    localId: 1,
    remote: { address: "10.1.0.1", port: 80 },
    ifIndex: 0,
    localBackup: false,
    ...given,
  });
}

/** All subflows but the initial one. */
function others(watch: TableWatch): string[] {
  return watch.lines().slice(2);
}

const asked = "10.0.0.2:0 id 1 > 10.1.0.1:80 id 0 connecting";

describe("a subflow that was asked for", () => {
  it("is connecting, without a port of its own, and nothing is told of it", () => {
    const watch = established();
    request(watch, { ifIndex: 3, localBackup: true });
    assert.deepEqual(others(watch), [`${asked} dev 3 backup here`]);
    assert.deepEqual(watch.told(), []);
  });

  it("is what the kernel says is established, with what only the kernel knows", () => {
    const watch = established();
    const subflow = request(watch, { localBackup: true });
    const mapped = { family: AF_INET6, localAddress: "::ffff:10.0.0.2", remoteAddress: "::ffff:10.1.0.1" };
    watch.apply(ofSubflow("subflowEstablished", { ...mapped, remoteId: 4, backup: true }));
    assert.deepEqual(watch.told(), ["newSubflow 1: 10.0.0.2:50000 > 10.1.0.1:80"]);
    const line = "10.0.0.2:50000 id 1 > 10.1.0.1:80 id 4 established backup here backup there mapped";
    assert.deepEqual(others(watch), [line]);
    assert.equal(watch.get().subflows[1], subflow);
  });

  it("stays one for which this host asked for backup, whatever the peer asks for", () => {
    const watch = established();
    request(watch, { localBackup: true });
    watch.apply(ofSubflow("subflowEstablished"), ofSubflow("subflowPriority", { backup: true }));
    assert.match(others(watch)[0] ?? "", /established backup here backup there$/);
    watch.apply(ofSubflow("subflowPriority", { backup: false }));
    assert.match(others(watch)[0] ?? "", /established backup here$/);
  });

  it("is established once", () => {
    const watch = established();
    request(watch);
    watch.apply(ofSubflow("subflowEstablished"), ofSubflow("subflowEstablished"));
    assert.equal(watch.told().length, 1);
    assert.equal(others(watch).length, 1);
  });

  it("is not what goes elsewhere, comes from elsewhere or has another id", () => {
    const watch = established();
    request(watch);
    const different = [
      { localAddress: "10.0.0.3", localPort: 1 },
      { localId: 2, localPort: 2 },
      { remoteAddress: "10.1.0.2", localPort: 3 },
      { remotePort: 81, localPort: 4 },
    ];
    for (const given of different) watch.apply(ofSubflow("subflowEstablished", given));
    for (const given of different) watch.apply(ofSubflow("subflowClosed", given));
    assert.deepEqual(others(watch), [asked]);
  });

  it("is not one that is known by its port, though it goes from and to the same places", () => {
    const watch = established();
    watch.apply(ofSubflow("subflowEstablished"));
    request(watch);
    watch.apply(ofSubflow("subflowEstablished"), ofSubflow("subflowClosed"));
    assert.deepEqual(others(watch), [asked]);
  });

  it("that fails is closed for the kernel's reason, also where the peer's port is no longer known", () => {
    for (const remotePort of [80, 0]) {
      const watch = established();
      const subflow = request(watch);
      watch.apply(ofSubflow("subflowClosed", { remotePort, error: 111 }));
      assert.deepEqual(watch.told(), [
        "subflowClosed 1: 10.0.0.2:0 > 10.1.0.1:80 error=111 code=ECONNREFUSED",
      ]);
      assert.deepEqual(others(watch), []);
      assert.equal(subflow.state, "closed");
    }
  });

  it("is never the initial one of the same address", () => {
    const watch = established();
    const local = { address: "10.0.0.1", port: 0 };
    request(watch, { local, localId: 0 });
    watch.apply(
      ofSubflow("subflowClosed", { localAddress: "10.0.0.1", localId: 0, localPort: 40001, remotePort: 0 }),
    );
    assert.deepEqual(watch.lines().slice(1), ["10.0.0.1:40000 id 0 > 10.1.0.1:80 id 0 established initial"]);
  });

  it("that is like others has its turn in the order of the asking", () => {
    const watch = established();
    const [first, second, third] = [request(watch), request(watch), request(watch)];
    watch.apply(
      ofSubflow("subflowEstablished", { localPort: 1 }),
      ofSubflow("subflowClosed", { localPort: 2, remotePort: 0, error: 110 }),
      ofSubflow("subflowEstablished", { localPort: 3 }),
    );
    const line = (port: number, state: string) => `10.0.0.2:${port} id 1 > 10.1.0.1:80 id 0 ${state}`;
    assert.deepEqual([first, second, third].map(subflowLine), [
      line(1, "established"),
      line(0, "closed"),
      line(3, "established"),
    ]);
    assert.deepEqual(others(watch), [line(1, "established"), line(3, "established")]);
  });

  it("that came to nothing without a word goes without a word", () => {
    const watch = established();
    const subflow = request(watch);
    watch.table.abandon(watch.get(), subflow);
    assert.deepEqual(others(watch), []);
    assert.equal(subflow.state, "closed");
    assert.deepEqual(watch.told(), []);
  });

  it("outlives readings that do not show it: it may be on its way to the kernel", () => {
    const watch = established();
    request(watch);
    for (let reading = 0; reading < 3; reading++) assert.ok(watch.read(foundWith()), "nothing is missing");
    assert.deepEqual(others(watch), [asked]);
  });

  it("is in a reading what is on its way there, and stays one", () => {
    const watch = established();
    request(watch);
    watch.read(foundWith(subflowOutline({ state: "syn-sent" })));
    assert.deepEqual(others(watch), [asked]);
    assert.deepEqual(watch.told(), []);
  });

  it("is established when a reading says so, before its event does", () => {
    const watch = established();
    const subflow = request(watch);
    watch.read(foundWith(subflowOutline({ remoteId: 4 })));
    watch.apply(ofSubflow("subflowEstablished", { remoteId: 4 }));
    assert.deepEqual(watch.told(), ["newSubflow 1: 10.0.0.2:50000 > 10.1.0.1:80"]);
    assert.deepEqual(others(watch), ["10.0.0.2:50000 id 1 > 10.1.0.1:80 id 4 established"]);
    assert.equal(watch.get().subflows[1], subflow);
  });

  it("is one of several in a reading that are like it, each of another", () => {
    const watch = established();
    request(watch);
    request(watch);
    const local = { address: "10.0.0.2", port: 50001 };
    watch.read(foundWith(subflowOutline(), subflowOutline({ local })));
    assert.deepEqual(others(watch), [
      "10.0.0.2:50000 id 1 > 10.1.0.1:80 id 0 established",
      "10.0.0.2:50001 id 1 > 10.1.0.1:80 id 0 established",
    ]);
    assert.equal(watch.told().length, 2);
  });
});
