import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { ConnectionRecord } from "../../../../src/control/connections/connection-record.ts";
import { ofSubflow } from "./builders.ts";
import { refusal } from "./command-journal.ts";
import { CommandsWorld } from "./commands-world.ts";

const address = "10.0.0.2";

/** A world that has announced the address with a socket of its own. */
async function announced(port?: number) {
  const world = new CommandsWorld();
  await world.announcements.announce(world.connection, { address, port, listen: true });
  world.kernel.commands();
  const withdraw = (target: Parameters<typeof world.withdraw>[0]) => world.withdraw(target);
  const find = () => world.ids.of(world.connection).find(address, port);
  return { world, withdraw, find };
}

async function pass(world: CommandsWorld, milliseconds: number): Promise<void> {
  await turn();
  world.clock.advance(milliseconds);
  await turn();
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

  it("takes its time after whatever else the peer was told: it drops what comes while it is busy with that", async () => {
    const { world } = await announced();
    const other = world.open({ token: 2 });
    for (const more of ["10.0.0.3", "10.0.0.4"])
      await world.announcements.announce(world.connection, { address: more });
    world.clock.advance(150);
    await world.announcements.announce(other, { address: "10.0.0.9", id: 9 });
    world.kernel.commands();
    const withdraw = (connection: ConnectionRecord, address: string) =>
      world.announcements.withdraw(connection, { address });
    const all = ["10.0.0.2", "10.0.0.3", "10.0.0.4"].map((one) => withdraw(world.connection, one));
    all.push(withdraw(other, "10.0.0.9"));
    for (const [milliseconds, id] of [
      [50, 1],
      [150, 9],
      [50, 2],
      [200, 3],
    ] as const) {
      await pass(world, milliseconds - 1);
      assert.deepEqual(world.kernel.commands(), []);
      await pass(world, 1);
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
    await withdraw({ address });
    assert.equal(world.clock.waiting, 0);
  });

  it("ends the subflows from it, also one that is connecting: that is up to who withdraws it", async () => {
    const { world, withdraw } = await announced();
    const place = { from: { address } };
    const creating = world.subflows.create(world.connection, place);
    world.emit(ofSubflow("subflowEstablished"));
    await creating;
    const connecting = world.subflows.create(world.connection, { ...place, to: { address: "10.1.0.2" } });
    const gone = assert.rejects(connecting, { code: "ECONNABORTED" });
    world.kernel.commands();
    await withdraw({ address });
    await gone;
    assert.deepEqual(world.kernel.commands(), ["remove 1", "destroy 10.0.0.2:50000 > 10.1.0.1:80"]);
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

  it("that only subflows go from ends them and frees its id", async () => {
    const { world, withdraw } = await announced();
    const localAddress = "10.0.0.3";
    const creating = world.subflows.create(world.connection, { from: { address: localAddress } });
    world.emit(ofSubflow("subflowEstablished", { localAddress, localId: 2 }));
    await creating;
    world.kernel.commands();
    await withdraw({ address: localAddress });
    assert.deepEqual(world.kernel.commands(), ["remove 2", "destroy 10.0.0.3:50000 > 10.1.0.1:80"]);
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
      const withdrawing = withdraw({ id: 1 });
      await pass(world, 199);
      assert.deepEqual(world.kernel.commands(), ["remove 1", command]);
      await pass(world, 1);
      await withdrawing;
      assert.deepEqual(world.kernel.commands(), ["remove 1"]);
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
    // Some kernels say so when the initial subflow has ended.
    world.kernel.beforeCommand = () => Promise.reject(refusal("withdraw", "address with id 0 not found"));
    await assert.rejects(withdraw({ address: "10.0.0.1" }), /address with id 0 not found/);
    assert.deepEqual(world.kernel.commands(), ["remove 0"]);
    world.kernel.beforeCommand = () => undefined;
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
    const withdrawing = withdraw({ address });
    await pass(world, 200);
    await withdrawing;
    assert.deepEqual([world.listening, find()], [[], undefined]);
  });
});
