import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { IdBook } from "../../../../src/control/connections/address-ids.ts";
import { KernelError, NetlinkError, TimeoutError } from "../../../../src/kernel/netlink/errors.ts";
import { ofSubflow, opening } from "./builders.ts";
import { CommandJournal, refusal } from "./command-journal.ts";
import { established } from "./table-watch.ts";

class World {
  readonly kernel = new CommandJournal();
  readonly watch = established();
  readonly connection = this.watch.get();
  readonly book = new IdBook(this.kernel);

  constructor() {
    for (const event of ["created", "established"] as const) this.kernel.happen(opening(event));
  }

  /** Uses an id for a subflow, and gives it. */
  use(address: string, port = 0): Promise<number> {
    return this.book.use(
      this.connection,
      { address, port },
      () => `use ${address}`,
      async (id) => {
        const local = { address, port, id };
        await this.kernel.createSubflow({ token: 1, local, remote: { address: "10.1.0.1", port: 80 } });
        return id;
      },
    );
  }

  /** A command that the kernel refuses. */
  refused(error: unknown, address = "10.0.0.2"): Promise<number> {
    const place = { address, port: 0 };
    return this.book.use(
      this.connection,
      place,
      () => "be refused",
      () => Promise.reject(error),
    );
  }

  find(address: string, port = 0): number | undefined {
    return this.book.of(this.connection).find(address, port);
  }
}

describe("a command that needs an address id", () => {
  it("gets that of the address, or the lowest that is free", async () => {
    const world = new World();
    const ids = [await world.use("10.0.0.2"), await world.use("10.0.0.3"), await world.use("10.0.0.2")];
    assert.deepEqual(ids, [1, 2, 1]);
    assert.equal(await world.use("10.0.0.1"), 0);
    assert.equal(await world.use("10.0.0.2", 80), 3);
  });

  it("gets those of each connection for itself", async () => {
    const world = new World();
    await world.use("10.0.0.2");
    const other = established().get();
    const place = { address: "10.0.0.3", port: 0 };
    assert.equal(
      await world.book.use(
        other,
        place,
        () => "use",
        async (id) => id,
      ),
      1,
    );
  });

  it("shows who manages the connection, once it worked", async () => {
    const world = new World();
    assert.equal(world.connection.pathManager, "unknown");
    await assert.rejects(world.refused(refusal("x", "error parsing local addr")));
    assert.equal(world.connection.pathManager, "unknown");
    await world.use("10.0.0.2");
    assert.equal(world.connection.pathManager, "userspace");
  });

  it("shows that the kernel manages the connection where it says so", async () => {
    const world = new World();
    const error = refusal("x", "invalid request; userspace PM not selected");
    await assert.rejects(world.refused(error), (thrown) => thrown === error);
    assert.equal(world.connection.pathManager, "kernel");
    assert.deepEqual(world.kernel.commands(), [], "and is not tried again");
  });

  it("that is refused gives its id back if that is a new one, and keeps an old one", async () => {
    const world = new World();
    const other = new Error("another error");
    for (const error of [refusal("x", "invalid token"), new TimeoutError("x", 1), other]) {
      await assert.rejects(world.refused(error), (thrown) => thrown === error);
      assert.equal(world.find("10.0.0.2"), undefined, error.message);
    }
    await world.use("10.0.0.2");
    await assert.rejects(world.refused(refusal("x", "invalid token")));
    assert.equal(world.find("10.0.0.2"), 1);
  });
});

describe("where the kernel has given ids by itself", () => {
  it("a command is tried again with the address's own, once the kernel's list was read", async () => {
    const world = new World();
    world.kernel.list = [
      { address: "10.0.0.9", port: 0, id: 1 },
      // Of an IPv6 socket.
      { address: "::ffff:10.0.0.3", port: 0, id: 2 },
    ];
    assert.equal(await world.use("10.0.0.2"), 3);
    assert.deepEqual(world.kernel.commands(), [
      "create 10.0.0.2 > 10.1.0.1:80 id 1",
      "list",
      "create 10.0.0.2 > 10.1.0.1:80 id 3",
    ]);
    assert.deepEqual([world.find("10.0.0.9"), world.find("10.0.0.3")], [1, 2]);
  });

  it("an address changes its id to what the kernel has", async () => {
    const world = new World();
    await world.use("10.0.0.2");
    world.kernel.list = [{ address: "10.0.0.2", port: 0, id: 7 }];
    assert.equal(await world.use("10.0.0.2"), 7);
  });

  it("a command is tried once more, as the list may have changed since, and then no more", async () => {
    const world = new World();
    let rivals = 2;
    // Somebody is always quicker.
    world.kernel.beforeCommand = (command) => {
      const id = Number(/^create .* id (\d+)$/.exec(command)?.[1]);
      if (id > 0 && rivals-- > 0) world.kernel.list = [{ address: "10.0.0.9", port: 0, id }];
    };
    await world.use("10.0.0.2");
    rivals = 3;
    await assert.rejects(world.use("10.0.0.3"), /did not match address and id/);
    assert.equal(world.find("10.0.0.3"), undefined);
    const tries = world.kernel.commands().filter((command) => command.startsWith("create"));
    assert.equal(tries.length, 3 + 3);
  });

  it("and cannot list them, ids are tried that it may not have given", async () => {
    const world = new World();
    world.kernel.showsList = false;
    world.kernel.list = [
      { address: "10.0.0.8", port: 0, id: 1 },
      { address: "10.0.0.9", port: 0, id: 2 },
    ];
    assert.equal(await world.use("10.0.0.2"), 3);
    assert.equal(await world.use("10.0.0.3"), 4, "and are not tried again");
  });

  it("and the list cannot be read, that is what fails", async () => {
    const world = new World();
    world.kernel.list = [{ address: "10.0.0.9", port: 0, id: 1 }];
    for (const error of [new NetlinkError("ENOBUFS", "overrun"), new Error("no list")]) {
      world.kernel.beforeCommand = (command) => {
        if (command === "list") throw error;
      };
      await assert.rejects(world.use("10.0.0.2"), (thrown) => thrown === error);
      assert.equal(world.find("10.0.0.2"), undefined);
    }
  });

  it("a command always succeeds, and no id is two addresses', whichever it has given", async () => {
    const entry = fc.record({ host: fc.integer({ min: 2, max: 9 }), id: fc.integer({ min: 1, max: 9 }) });
    const list = fc.uniqueArray(entry, { comparator: (a, b) => a.host === b.host || a.id === b.id });
    const uses = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(list, uses), { maxLength: 4 }), async (rounds) => {
        const world = new World();
        for (const [theirs, ours] of rounds) {
          for (const { host, id } of theirs) {
            const clash = world.kernel.list.some((one) => one.id === id || one.address === `10.0.0.${host}`);
            if (!clash)
              world.kernel.list = [...world.kernel.list, { address: `10.0.0.${host}`, port: 0, id }];
          }
          for (const host of ours) {
            const id = await world.use(`10.0.0.${host}`);
            assert.ok(id >= (host === 1 ? 0 : 1) && id <= 255);
            assert.equal(world.kernel.list.find((one) => one.id === id)?.address, `10.0.0.${host}`);
          }
          const known = [1, 2, 3, 4, 5, 6, 7, 8, 9].flatMap((host) => world.find(`10.0.0.${host}`) ?? []);
          assert.equal(new Set(known).size, known.length);
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe("when all address ids are taken", () => {
  /** As many as there are, of which the first few have subflows. */
  async function full(withSubflows: number): Promise<World> {
    const world = new World();
    for (let id = 1; id <= 255; id++) {
      const localAddress = `10.0.1.${id}`;
      await world.use(localAddress);
      if (id <= withSubflows)
        world.watch.apply(ofSubflow("subflowEstablished", { localAddress, localId: id }));
    }
    world.kernel.commands();
    return world;
  }

  it("those are withdrawn that no subflow uses", async () => {
    const world = await full(250);
    // The kernel does not have it any more; that is as good.
    world.kernel.list = world.kernel.list.filter(({ id }) => id !== 252);
    assert.equal(await world.use("10.0.0.2"), 251);
    assert.deepEqual(world.kernel.commands(), [
      ...["remove 251", "remove 252", "remove 253", "remove 254", "remove 255"],
      "create 10.0.0.2 > 10.1.0.1:80 id 251",
    ]);
    assert.deepEqual([world.find("10.0.1.250"), world.find("10.0.1.252")], [250, undefined]);
  });

  it("and used, a command fails with words that say what to do", async () => {
    const world = await full(255);
    await assert.rejects(world.use("10.0.0.2"), (error) => {
      assert.ok(error instanceof Error && "code" in error && "what" in error);
      assert.ok(!(error instanceof KernelError));
      assert.deepEqual([error.code, error.what], ["ENOSPC", "use 10.0.0.2"]);
      assert.match(error.message, /cannot use 10.0.0.2: all address ids of connection 00000001 are in use/);
      return true;
    });
    assert.deepEqual(world.kernel.commands(), []);
    assert.equal(await world.use("10.0.1.7"), 7);
  });

  it("those that were announced are kept", async () => {
    const world = await full(0);
    for (let id = 2; id <= 255; id++) world.book.of(world.connection).announce(`10.0.1.${id}`, 0);
    assert.equal(await world.use("10.0.0.2"), 1);
    world.book.of(world.connection).announce("10.0.0.2", 0);
    await assert.rejects(world.use("10.0.0.3"), { code: "ENOSPC" });
    const removals = world.kernel.commands().filter((command) => command.startsWith("remove"));
    assert.deepEqual(removals, ["remove 1"]);
  });
});
