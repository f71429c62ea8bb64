import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ConnectionRecord } from "../../../../src/control/connections/connection-record.ts";
import { announced, closed, ofSubflow, removed } from "./builders.ts";
import { refusal } from "./command-journal.ts";
import { CommandsWorld, nothingPending } from "./commands-world.ts";

const address = "10.0.0.2";

function announce(world: CommandsWorld, options: Partial<Options> = {}, connection = world.connection) {
  return world.announcements.announce(connection, { address, ...options });
}
type Options = Parameters<CommandsWorld["announcements"]["announce"]>[1];

/** Another connection of the same world. */
function second(world: CommandsWorld): ConnectionRecord {
  return world.open({ token: 2, localPort: 40000, remotePort: 81 });
}

describe("announcing an address", () => {
  it("tells the peer, with an id and the port of the initial subflow", async () => {
    const world = new CommandsWorld();
    assert.deepEqual(await announce(world), { address, port: 0, id: 1 });
    assert.deepEqual(world.kernel.commands(), ["announce 10.0.0.2 id 1"]);
    assert.deepEqual(world.opened, []);
    assert.equal(world.ids.of(world.connection).find(address), 1);
  });

  it("tells another port, and the interface for what comes of it", async () => {
    const world = new CommandsWorld();
    assert.deepEqual(await announce(world, { port: 8080, ifIndex: 3 }), { address, port: 8080, id: 1 });
    assert.deepEqual(await announce(world), { address, port: 0, id: 2 });
    assert.deepEqual(world.kernel.commands(), [
      "announce 10.0.0.2:8080 id 1 dev 3",
      "announce 10.0.0.2 id 2",
    ]);
    assert.deepEqual(world.opened, []);
  });

  it("listens there if it is to: at the port of the initial subflow, at that which is given, or at any", async () => {
    for (const [port, opened, told, command] of [
      [undefined, "10.0.0.2:40000", 0, "announce 10.0.0.2 id 1"],
      [8080, "10.0.0.2:8080", 8080, "announce 10.0.0.2:8080 id 1"],
      [0, "10.0.0.2:34567", 34567, "announce 10.0.0.2:34567 id 1"],
    ] as const) {
      const world = new CommandsWorld();
      world.kernel.beforeCommand = () => assert.deepEqual(world.listening, [opened], "before the peer knows");
      assert.deepEqual(await announce(world, { listen: true, port }), { address, port: told, id: 1 });
      assert.deepEqual(world.kernel.commands(), [command]);
      assert.deepEqual(world.listening, [opened]);
    }
  });

  it("of several connections at one place shares the listening socket", async () => {
    const world = new CommandsWorld();
    const other = second(world);
    await announce(world, { listen: true });
    await announce(world, { listen: true }, other);
    assert.deepEqual(world.opened, ["10.0.0.2:40000"]);
    world.emit(closed(1));
    assert.deepEqual(world.listening, ["10.0.0.2:40000"]);
    await world.withdraw({ address }, other);
    assert.deepEqual(world.listening, []);
  });

  it("again keeps its id and its listening socket, and one withdrawal is enough", async () => {
    const world = new CommandsWorld();
    for (let time = 0; time < 3; time++) assert.equal((await announce(world, { listen: true })).id, 1);
    await announce(world);
    assert.deepEqual(world.opened, ["10.0.0.2:40000"]);
    assert.deepEqual(world.listening, ["10.0.0.2:40000"]);
    await world.withdraw({ address });
    assert.deepEqual(world.listening, []);
  });

  it("does not happen where it cannot listen", async () => {
    const world = new CommandsWorld();
    world.listening.push("10.0.0.2:40000");
    await assert.rejects(announce(world, { listen: true }), /EADDRINUSE/);
    assert.deepEqual(world.kernel.commands(), []);
    assert.equal(world.ids.of(world.connection).find(address), undefined);
  });

  it("leaves nothing behind when the kernel refuses", async () => {
    const world = new CommandsWorld();
    const error = refusal("announce", "invalid token");
    world.kernel.beforeCommand = () => Promise.reject(error);
    const { signal } = world.signal;
    await assert.rejects(announce(world, { listen: true, signal }), (thrown) => thrown === error);
    assert.deepEqual(world.listening, []);
    assert.equal(world.ids.of(world.connection).find(address), undefined);
    assert.deepEqual(world.pending(), nothingPending);
  });

  it("finds the kernel's id of the address with the socket open all the while", async () => {
    const world = new CommandsWorld();
    world.kernel.list = [{ address, port: 0, id: 4 }];
    assert.equal((await announce(world, { listen: true })).id, 4);
    assert.deepEqual([world.opened, world.listening], [["10.0.0.2:40000"], ["10.0.0.2:40000"]]);
    await world.withdraw({ id: 4 });
    assert.deepEqual(world.listening, []);
  });
});

describe("the socket behind an announced address", () => {
  it("is closed with its connection, and not with another one", async () => {
    const world = new CommandsWorld();
    const other = second(world);
    for (const port of [1, 2]) await announce(world, { listen: true, port, signal: world.signal.signal });
    await announce(world, { listen: true, port: 3 }, other);
    world.emit(announced(3, "10.1.0.2"), removed(3), ofSubflow("subflowClosed"));
    assert.equal(world.listening.length, 3, "whatever else happens");
    world.emit(closed(1));
    assert.deepEqual(world.listening, ["10.0.0.2:3"]);
    assert.deepEqual(world.pending(), nothingPending);
  });

  it("is closed when the signal says so; the address stays announced", async () => {
    const world = new CommandsWorld();
    await announce(world, { listen: true, signal: world.signal.signal });
    world.signal.abort();
    assert.deepEqual(world.listening, []);
    assert.deepEqual(world.pending(), nothingPending);
    assert.equal(world.ids.of(world.connection).find(address), 1);
    await world.withdraw({ address });
  });

  it("is not closed by the signal of an announcement that was there before", async () => {
    const world = new CommandsWorld();
    await announce(world, { listen: true, signal: world.signal.signal });
    await announce(world, { listen: true });
    await announce(world, { listen: true, port: 81, signal: world.signal.signal });
    await world.withdraw({ address, port: 81 });
    const { id } = await announce(world, { address: "10.0.0.3", listen: true });
    assert.equal(id, 2, "the id that was just given back");
    assert.deepEqual(world.pending(), nothingPending, "what was withdrawn listens to no signal");
    world.signal.abort();
    assert.deepEqual(world.listening, ["10.0.0.2:40000", "10.0.0.3:40000"]);
  });

  it("is closed where the connection ends or the signal comes while the kernel is asked", async () => {
    const ends = [
      (world: CommandsWorld) => world.emit(closed()),
      (world: CommandsWorld) => world.signal.abort(),
    ];
    for (const end of ends) {
      const world = new CommandsWorld();
      world.kernel.afterCommand = () => end(world);
      await announce(world, { listen: true, signal: world.signal.signal });
      assert.deepEqual(world.listening, []);
      assert.deepEqual(world.pending(), nothingPending);
    }
  });

  it("is never opened for who has given up already", async () => {
    const world = new CommandsWorld();
    const reason = new Error("enough");
    world.signal.abort(reason);
    const announcing = announce(world, { listen: true, signal: world.signal.signal });
    await assert.rejects(announcing, (thrown) => thrown === reason);
    assert.deepEqual([world.opened, world.kernel.commands()], [[], []]);
  });
});
