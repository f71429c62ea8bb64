import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Subflow } from "../../../../src/control/connections/connection.ts";
import { AF_INET6 } from "../../../../src/kernel/socket-numbers.ts";
import { announced, closed, initialEnds, ofSubflow, removed } from "./builders.ts";
import { established } from "./table-watch.ts";

const initial = "10.0.0.1:40000 id 0 > 10.1.0.1:80 id 0 established initial";
const second = "10.0.0.2:50000 id 1 > 10.1.0.1:80 id 0 established";

describe("the table, of subflows", () => {
  it("has a new one with all that its event says", () => {
    const watch = established();
    watch.apply(ofSubflow("subflowEstablished", { remoteId: 4, ifIndex: 3, backup: true }));
    assert.deepEqual(watch.told(), ["newSubflow 1: 10.0.0.2:50000 > 10.1.0.1:80"]);
    const line = "10.0.0.2:50000 id 1 > 10.1.0.1:80 id 4 established dev 3 backup there";
    assert.deepEqual(watch.lines().slice(1), [initial, line]);
  });

  it("tells a new one once, and never the initial one", () => {
    const watch = established();
    watch.apply(ofSubflow("subflowEstablished"), ofSubflow("subflowEstablished"));
    watch.apply(ofSubflow("subflowEstablished", initialEnds));
    assert.deepEqual(watch.told(), ["newSubflow 1: 10.0.0.2:50000 > 10.1.0.1:80"]);
    assert.deepEqual(watch.lines().slice(1), [initial, second]);
  });

  it("tells them apart by any part of their ends, as those that a server accepts", () => {
    const watch = established({ serverSide: true, localPort: 80, remotePort: 40000 });
    const accepted = { localAddress: "10.0.0.1", localPort: 80, localId: 0 };
    for (const [remoteAddress, remotePort] of [
      ["10.1.0.1", 40001],
      ["10.1.0.2", 40000],
      ["10.1.0.2", 40001],
    ] as const)
      watch.apply(ofSubflow("subflowEstablished", { ...accepted, remoteAddress, remotePort }));
    watch.apply(
      ofSubflow("subflowClosed", { ...accepted, remoteAddress: "10.1.0.2", remotePort: 40000 }),
      ofSubflow("subflowPriority", { ...accepted, remotePort: 40001, backup: true }),
    );
    assert.deepEqual(watch.lines().slice(1), [
      "10.0.0.1:80 id 0 > 10.1.0.1:40000 id 0 established initial",
      "10.0.0.1:80 id 0 > 10.1.0.1:40001 id 0 established backup there",
      "10.0.0.1:80 id 0 > 10.1.0.2:40001 id 0 established",
    ]);
  });

  it("tells why one is closed, and nothing where it ended in good order", () => {
    const watch = established();
    const ends: Subflow[] = [];
    const broken = { error: 104, resetReason: 3, resetFlags: 1 };
    for (const reason of [{}, broken]) {
      watch.apply(ofSubflow("subflowEstablished"));
      ends.push(...watch.get().subflows.slice(1));
      watch.apply(ofSubflow("subflowClosed", reason));
    }
    assert.deepEqual(
      watch.told().filter((line) => line.startsWith("subflowClosed")),
      [
        "subflowClosed 1: 10.0.0.2:50000 > 10.1.0.1:80",
        "subflowClosed 1: 10.0.0.2:50000 > 10.1.0.1:80 error=104 code=ECONNRESET resetReason=3 resetFlags=1",
      ],
    );
    assert.deepEqual(watch.lines().slice(1), [initial]);
    assert.deepEqual(
      ends.map(({ state }) => state),
      ["closed", "closed"],
    );
  });

  it("lets the initial one go, and keeps the connection's own ends", () => {
    const watch = established();
    watch.apply(ofSubflow("subflowEstablished"), ofSubflow("subflowClosed", initialEnds));
    assert.deepEqual(watch.lines(), ["1 established client 10.0.0.1:40000 > 10.1.0.1:80", second]);
  });

  it("tells of an attempt of the kernel's own that came to nothing", () => {
    const watch = established();
    watch.apply(ofSubflow("subflowClosed", { error: 111 }));
    assert.deepEqual(watch.told(), [
      "subflowClosed 1: 10.0.0.2:50000 > 10.1.0.1:80 error=111 code=ECONNREFUSED",
    ]);
    assert.deepEqual(watch.lines().slice(1), [initial]);
  });

  it("tells a priority when it becomes another one, also of the initial one", () => {
    const watch = established();
    const told: string[] = [];
    for (const backup of [false, true, true, false]) {
      watch.apply(ofSubflow("subflowPriority", { ...initialEnds, backup }));
      told.push(...watch.told());
    }
    const ends = "subflowPriority 1: 10.0.0.1:40000 > 10.1.0.1:80";
    assert.deepEqual(told, [`${ends} backup`, ends]);
    watch.apply(ofSubflow("subflowPriority", { backup: true }));
    assert.deepEqual(watch.told(), [], "there is no such subflow");
  });

  it("has IPv4 addresses of IPv6 sockets as IPv4 addresses, and remembers how the kernel has them", () => {
    const family = AF_INET6;
    const watch = established({
      family,
      localAddress: "::ffff:10.0.0.1",
      remoteAddress: "::ffff:10.1.0.1",
    });
    const mapped = { family, localAddress: "::ffff:10.0.0.2", remoteAddress: "::ffff:10.1.0.1" };
    watch.apply(ofSubflow("subflowEstablished", mapped), announced(3, "::ffff:10.1.0.2"));
    // The other way of writing the same ends.
    watch.apply(ofSubflow("subflowPriority", { backup: true }));
    assert.deepEqual(watch.lines(), [
      "1 established client 10.0.0.1:40000 > 10.1.0.1:80",
      `${initial} mapped`,
      `${second} backup there mapped`,
      "announced 3 10.1.0.2:80",
    ]);
  });

  it("takes nothing for IPv4 that is IPv6", () => {
    const family = AF_INET6;
    const watch = established({ family, localAddress: "2001:db8::1", remoteAddress: "2001:db8::2" });
    assert.deepEqual(watch.lines(), [
      "1 established client [2001:db8::1]:40000 > [2001:db8::2]:80",
      "[2001:db8::1]:40000 id 0 > [2001:db8::2]:80 id 0 established initial",
    ]);
  });

  it("leaves the lists that somebody walks as they are", () => {
    const watch = established();
    watch.apply(ofSubflow("subflowEstablished"), announced(3, "10.1.0.2"));
    const { subflows, announced: addresses } = watch.get();
    const walked: number[] = [];
    for (const { localId } of subflows) {
      walked.push(localId);
      watch.apply(ofSubflow("subflowEstablished", { localPort: 50001 + localId }));
      watch.apply(ofSubflow("subflowClosed"));
    }
    for (const { id } of addresses) {
      walked.push(id);
      watch.apply(removed(id), announced(4, "10.1.0.3"), announced(5, "10.1.0.4"));
    }
    watch.apply(closed());
    assert.deepEqual(walked, [0, 1, 3]);
    assert.deepEqual([subflows.length, addresses.length], [2, 1]);
  });

  it("knows whether any goes from an address, or from one of an interface's", () => {
    const watch = established();
    const connection = watch.get();
    const uses = (address: string) => [
      connection.uses(address),
      connection.uses({ address }),
      connection.uses({ addresses: [{ address: "10.0.0.9" }, { address }] }),
    ];
    assert.deepEqual([...uses("10.0.0.1"), ...uses("10.0.0.2")], [true, true, true, false, false, false]);
    watch.apply(ofSubflow("subflowEstablished"));
    assert.deepEqual(uses("10.0.0.2"), [true, true, true]);
    assert.deepEqual(uses("10.1.0.1"), [false, false, false], "that is the peer's");
  });
});
