import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { ofSubflow } from "./builders.ts";
import { CommandsWorld } from "./commands-world.ts";
import { refusal } from "./fake-path-manager.ts";

const address = "10.0.0.2";

/** A world that has announced the address with a socket of its own. */
async function announced(port?: number) {
  const world = new CommandsWorld();
  await world.announcements.announce(world.connection, { address, port, listen: true });
  world.kernel.commands();
  const withdraw = (target: Parameters<typeof world.announcements.withdraw>[1]) =>
    world.announcements.withdraw(world.connection, target);
  const find = () => world.ids.of(world.connection).find(address, port);
  return { world, withdraw, find };
}

describe("withdrawing an address", () => {
  it("takes its id, or the address with the port that it was announced with", async () => {
    for (const [port, target] of [
      [undefined, { id: 1 }],
      [undefined, { address }],
      [81, { id: 1 }],
      [81, { address, port: 81 }],
    ] as const) {
      const { world, withdraw, find } = await announced(port);
      await withdraw(target);
      assert.deepEqual(world.kernel.commands(), ["remove 1"]);
      assert.deepEqual([world.listening, find()], [[], undefined]);
    }
  });

  it("takes its time after another one of the connection's: the peer drops what comes while it is busy with that", async () => {
    const { world, withdraw } = await announced();
    const other = world.open({ token: 2 });
    const pass = (milliseconds: number) => {
      world.clock.advance(milliseconds);
      return turn();
    };
    for (const more of ["10.0.0.3", "10.0.0.4"])
      await world.announcements.announce(world.connection, { address: more });
    await world.announcements.announce(other, { address: "10.0.0.9", id: 9 });
    world.kernel.commands();
    const all = ["10.0.0.2", "10.0.0.3", "10.0.0.4"].map((one) => withdraw({ address: one }));
    await world.announcements.withdraw(other, { id: 9 });
    assert.deepEqual(world.kernel.commands(), ["remove 1", "remove 9"]);
    for (const id of [2, 3]) {
      await pass(199);
      assert.deepEqual(world.kernel.commands(), []);
      await pass(1);
      assert.deepEqual(world.kernel.commands(), [`remove ${id}`]);
    }
    await Promise.all(all);
    assert.equal(world.clock.waiting, 0);
  });

  it("waits for nothing after one that was refused, or that is long past", async () => {
    const { world, withdraw } = await announced();
    await assert.rejects(withdraw({ id: 9 }), /not found/);
    await withdraw({ address });
    await world.announcements.announce(world.connection, { address });
    world.clock.advance(200);
    await withdraw({ address });
    assert.equal(world.clock.waiting, 0);
  });

  it("fails where it was not announced and no subflow goes from it", async () => {
    const { world, withdraw } = await announced(81);
    const other = "cannot withdraw 10.0.0.3 from connection 00000001: ";
    await assert.rejects(withdraw({ address: "10.0.0.3" }), {
      code: "ENOENT",
      message: `${other}it was not announced and no subflow goes from it (ENOENT)`,
    });
    await assert.rejects(withdraw({ address, port: 82 }), { code: "ENOENT" });
    assert.deepEqual(world.kernel.commands(), []);
    assert.deepEqual(world.listening, ["10.0.0.2:81"]);
  });

  it("without a port takes it back with whatever port it was announced", async () => {
    const { world, withdraw, find } = await announced(81);
    await withdraw({ address });
    assert.deepEqual(world.kernel.commands(), ["remove 1"]);
    assert.deepEqual([world.listening, find()], [[], undefined]);
  });

  it("that only subflows go from closes them and frees its id", async () => {
    const { world, withdraw } = await announced();
    const localAddress = "10.0.0.3";
    const creating = world.subflows.create(world.connection, { from: { address: localAddress } });
    world.emit(ofSubflow("subflowEstablished", { localAddress, localId: 2 }));
    await creating;
    world.kernel.commands();
    await withdraw({ address: localAddress });
    assert.deepEqual(world.kernel.commands(), ["remove 2"]);
    assert.equal(world.ids.of(world.connection).find(localAddress), undefined);
  });

  it("changes nothing where the kernel refuses", async () => {
    const { world, withdraw, find } = await announced();
    for (const error of [refusal("withdraw", "invalid token"), new Error("not found")]) {
      world.kernel.beforeCommand = () => Promise.reject(error);
      await assert.rejects(withdraw({ address }), (thrown) => thrown === error);
      assert.deepEqual([world.listening, find()], [["10.0.0.2:40000"], 1]);
      assert.deepEqual(world.kernel.commands(), ["remove 1"]);
    }
  });

  it("announces it once more where the kernel has lost it: only what it has can be withdrawn", async () => {
    for (const [port, command] of [
      [undefined, "announce 10.0.0.2 id 1"],
      [81, "announce 10.0.0.2:81 id 1"],
    ] as const) {
      const { world, withdraw, find } = await announced(port);
      world.kernel.list = [];
      await withdraw({ id: 1 });
      assert.deepEqual(world.kernel.commands(), ["remove 1", command, "remove 1"]);
      assert.deepEqual([world.listening, find()], [[], undefined]);
    }
  });

  it("of an id that nobody knows is refused in the kernel's words", async () => {
    const { world, withdraw } = await announced();
    await assert.rejects(withdraw({ id: 9 }), /address with id 9 not found/);
    assert.deepEqual(world.kernel.commands(), ["remove 9"]);
    world.ids.of(world.connection).block(8);
    await assert.rejects(withdraw({ id: 8 }), /address with id 8 not found/);
    assert.deepEqual(world.kernel.commands(), ["remove 8"]);
  });

  it("of the initial subflow keeps its id 0, and announces nothing where no subflow is left there", async () => {
    const { world, withdraw } = await announced();
    const ids = world.ids.of(world.connection);
    await assert.rejects(withdraw({ address: "10.0.0.1" }), /address with id 0 not found/);
    assert.deepEqual(world.kernel.commands(), ["remove 0"]);
    world.kernel.list.push({ address: "10.0.0.1", port: 0, id: 0 });
    await withdraw({ address: "10.0.0.1" });
    assert.equal(ids.find("10.0.0.1"), 0);
  });

  it("is possible when a subflow from it came and was destroyed, and closes its socket", async () => {
    const { world, withdraw, find } = await announced();
    const creating = world.subflows.create(world.connection, { from: { address } });
    world.emit(ofSubflow("subflowEstablished"));
    await creating;
    const [, subflow] = world.connection.subflows;
    assert.ok(subflow);
    await world.subflows.destroy(world.connection, subflow);
    world.emit(ofSubflow("subflowClosed"));
    await withdraw({ address });
    assert.deepEqual([world.listening, find()], [[], undefined]);
  });
});
