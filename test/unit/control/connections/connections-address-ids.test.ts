import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { AddressIds } from "../../../../src/control/connections/address-ids.ts";
import { found, foundWith, subflowOutline } from "./builders.ts";

/** Of a connection from 10.0.0.1 with these subflows, given by address and id. */
function idsOf(...subflows: readonly (readonly [address: string, localId: number])[]): AddressIds {
  return new AddressIds(
    foundWith(
      ...subflows.map(([address, localId]) => subflowOutline({ local: { address, port: 1 }, localId })),
    ),
  );
}

/** "10.0.1.1" and so on. */
function addresses(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `10.0.${1 + (index >> 8)}.${index & 255}`);
}

describe("address ids", () => {
  it("are 0 for the address of the initial subflow, and 1, 2, 3… for others", () => {
    const ids = idsOf();
    const taken = ["10.0.0.2", "10.0.0.1", "2001:db8::1"].map((address) => ids.take(address));
    assert.deepEqual(taken, [1, 0, 2]);
    assert.equal(ids.find("10.0.0.9"), undefined);
  });

  it("stay with their address, and the lowest that is free goes to the next one", () => {
    const ids = idsOf();
    const [a = "", b = "", c = "", d = ""] = addresses(4);
    assert.deepEqual(
      [a, b, c].map((address) => ids.take(address)),
      [1, 2, 3],
    );
    ids.release(b);
    assert.deepEqual(
      [a, c, d, b].map((address) => ids.take(address)),
      [1, 3, 2, 4],
    );
  });

  it("are those that subflows have, where there are some", () => {
    const ids = idsOf(["10.0.0.2", 2], ["10.0.0.3", 1]);
    const taken = ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.1"].map((address) => ids.take(address));
    assert.deepEqual(taken, [2, 1, 3, 0]);
  });

  it("are another one for each port that an address is announced with", () => {
    const ids = idsOf();
    assert.deepEqual([ids.take("10.0.0.2"), ids.take("10.0.0.2", 80), ids.take("10.0.0.1", 80)], [1, 2, 3]);
    assert.deepEqual(
      [ids.find("10.0.0.2"), ids.find("10.0.0.2", 80), ids.find("10.0.0.2", 81)],
      [1, 2, undefined],
    );
    ids.release("10.0.0.2");
    assert.equal(ids.find("10.0.0.2", 80), 2);
  });

  it("tell which address has one", () => {
    const ids = idsOf(["10.0.0.2", 2]);
    ids.take("10.0.0.3", 80);
    assert.deepEqual(
      [0, 1, 2, 3].map((id) => ids.addressOf(id)),
      [
        { address: "10.0.0.1", port: 0, id: 0 },
        { address: "10.0.0.3", port: 80, id: 1 },
        { address: "10.0.0.2", port: 0, id: 2 },
        undefined,
      ],
    );
  });

  it("are at most 255", () => {
    const ids = idsOf();
    const all = addresses(255);
    assert.deepEqual(
      all.map((address) => ids.take(address)),
      all.map((_, index) => index + 1),
    );
    assert.equal(ids.take("10.9.9.9"), undefined);
    assert.equal(ids.find("10.9.9.9"), undefined);
    assert.equal(ids.take("10.0.1.7"), 8, "who has one keeps it");
    ids.release("10.0.1.7");
    assert.equal(ids.take("10.9.9.9"), 8);
  });

  it("of the initial subflow is never another one's, also when no subflow is left there", () => {
    const ids = new AddressIds(found({ subflows: [subflowOutline({ localId: 1 })] }));
    assert.equal(ids.take("10.0.0.1"), 0);
    ids.release("10.0.0.1");
    assert.equal(ids.take("10.0.0.1"), 0);
  });
});

describe("the id of an address that is withdrawn", () => {
  it("is free", () => {
    const ids = idsOf();
    ids.take("10.0.0.2");
    ids.announce("10.0.0.2", 0);
    ids.release("10.0.0.2");
    assert.equal(ids.find("10.0.0.2"), undefined);
    assert.equal(ids.take("10.0.0.3"), 1);
  });
});

describe("address ids, compared with the kernel's list,", () => {
  it("become as they are there", () => {
    const ids = idsOf();
    assert.equal(ids.take("10.0.0.2"), 1);
    ids.learn([
      { address: "10.0.0.2", port: 0, id: 5 },
      { address: "10.0.0.3", port: 80, id: 1 },
    ]);
    assert.deepEqual([ids.find("10.0.0.2"), ids.find("10.0.0.3", 80)], [5, 1]);
  });

  it("stay where they are not there, if nobody else has them", () => {
    const ids = idsOf();
    for (const address of ["10.0.0.2", "10.0.0.3"]) ids.take(address);
    ids.learn([{ address: "10.0.0.4", port: 0, id: 2 }]);
    assert.deepEqual([ids.find("10.0.0.2"), ids.find("10.0.0.3")], [1, undefined]);
    assert.equal(ids.take("10.0.0.3"), 3);
  });

  it("keep 0 for the initial subflow", () => {
    const ids = idsOf();
    ids.learn([{ address: "10.0.0.1", port: 0, id: 0 }]);
    assert.equal(ids.take("10.0.0.1"), 0);
    ids.learn([]);
    assert.equal(ids.take("10.0.0.1"), 0);
  });

  it("that turned out to be unknown addresses' are nobody's any more, and tell no address", () => {
    const ids = idsOf();
    ids.take("10.0.0.2");
    ids.block(1);
    ids.block(3);
    assert.equal(ids.find("10.0.0.2"), undefined);
    assert.deepEqual(
      ["10.0.0.2", "10.0.0.3"].map((address) => ids.take(address)),
      [2, 4],
    );
    assert.equal(ids.addressOf(1), undefined);
  });
});

describe("address ids that no subflow uses", () => {
  it("are all but those of subflows and 0", () => {
    const connection = foundWith(subflowOutline());
    const ids = new AddressIds(connection);
    ids.take("10.0.0.3", 80);
    ids.block(9);
    assert.deepEqual(
      ids.unused(connection).map(({ id }) => id),
      [2, 9],
    );
    assert.deepEqual(
      ids.unused({ subflows: [] }).map(({ id }) => id),
      [1, 2, 9],
    );
  });
});

describe("address ids that were announced", () => {
  it("are in use, with subflows and without, until they are released", () => {
    const ids = new AddressIds(foundWith());
    ids.take("10.0.0.3", 80);
    ids.announce("10.0.0.3", 80);
    assert.deepEqual(ids.unused({ subflows: [] }), []);
    ids.release("10.0.0.3", 80);
    ids.take("10.0.0.3", 80);
    assert.equal(ids.unused({ subflows: [] }).length, 1);
  });
});

describe("address ids, whatever happens,", () => {
  const place = fc.record({ host: fc.nat(5), port: fc.constantFrom(0, 80) });
  const id = fc.integer({ min: 1, max: 8 });
  const change = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("take" as const), place }) },
    fc.record({ kind: fc.constant("release" as const), place }),
    fc.record({ kind: fc.constant("block" as const), id }),
    fc.record({
      kind: fc.constant("learn" as const),
      list: fc.uniqueArray(fc.tuple(place, id), {
        maxLength: 5,
        comparator: ([a, one], [b, two]) => one === two || (a.host === b.host && a.port === b.port),
      }),
    }),
  );
  const addressOf = ({ host }: { host: number }) => `10.0.0.${1 + host}`;
  const everyPlace = [0, 1, 2, 3, 4, 5].flatMap((host) => [0, 80].map((port) => ({ host, port })));

  it("are from 0 to 255, never one for two addresses, and stay until something takes them away", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60, size: "max" }), (changes) => {
        const ids = idsOf(["10.0.0.2", 1]);
        const all = () => everyPlace.map((one) => ids.find(addressOf(one), one.port));
        const blocked = new Set<number>();
        for (const one of changes) {
          const before = all();
          if (one.kind === "take") {
            const known = ids.find(addressOf(one.place), one.place.port);
            const taken = ids.take(addressOf(one.place), one.place.port);
            assert.equal(taken, known ?? taken);
            for (const [index, now] of all().entries())
              assert.ok(now === before[index] || before[index] === undefined);
          } else if (one.kind === "release") ids.release(addressOf(one.place), one.place.port);
          else if (one.kind === "block") {
            ids.block(one.id);
            blocked.add(one.id);
          } else {
            ids.learn(one.list.map(([where, id]) => ({ address: addressOf(where), port: where.port, id })));
            for (const [where, id] of one.list) {
              assert.equal(ids.find(addressOf(where), where.port), id);
              blocked.delete(id);
            }
          }
          const taken = all().filter((id) => id !== undefined);
          assert.equal(new Set(taken).size, taken.length, "no id twice");
          for (const id of taken) assert.ok(id >= 0 && id <= 255 && !blocked.has(id));
          assert.ok(all().indexOf(0) <= 0, "0 is the initial address's, or nobody's");
          for (const [index, where] of everyPlace.entries()) {
            const found = all()[index];
            if (found === undefined) continue;
            assert.deepEqual(ids.addressOf(found), {
              address: addressOf(where),
              port: where.port,
              id: found,
            });
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});
