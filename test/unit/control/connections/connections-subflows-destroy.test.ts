import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KernelError } from "../../../../src/kernel/netlink/errors.ts";
import { AF_INET6 } from "../../../../src/kernel/socket-numbers.ts";
import { ofSubflow, subflowOutline } from "./builders.ts";
import { CommandsWorld, nothingPending } from "./commands-world.ts";

const destroyed = "destroy 10.0.0.2:50000 > 10.1.0.1:80";
/** The end of an attempt, as the kernel tells it once it was destroyed. */
const end = ofSubflow("subflowClosed", { remotePort: 0, error: 104 });

/** A world with an established subflow that was asked for. */
async function withSubflow() {
  const world = new CommandsWorld();
  const creating = world.ask();
  world.emit(ofSubflow("subflowEstablished"));
  await creating;
  world.told.length = 0;
  return { world, subflow: world.subflow(1) };
}

describe("destroying a subflow", () => {
  it("names its ends to the kernel, whose event ends it", async () => {
    const { world, subflow } = await withSubflow();
    await world.subflows.destroy(world.connection, subflow);
    assert.deepEqual(world.kernel.commands(), [destroyed]);
    assert.equal(world.others().length, 1);
    world.emit(ofSubflow("subflowClosed"));
    assert.deepEqual(world.told, ["subflowClosed 1: 10.0.0.2:50000 > 10.1.0.1:80"]);
  });

  it("spells IPv4 addresses as its socket has them", async () => {
    const family = AF_INET6;
    const ends = { localAddress: "::ffff:10.0.0.2", remoteAddress: "::ffff:10.1.0.1" };
    const world = new CommandsWorld();
    world.emit(ofSubflow("subflowEstablished", { family, ...ends }));
    await world.subflows.setBackup(world.connection, world.subflow(1), true);
    await world.subflows.destroy(world.connection, world.subflow(1));
    const spelled = "[::ffff:10.0.0.2]:50000 > [::ffff:10.1.0.1]:80";
    assert.deepEqual(world.kernel.commands(), [`set ${spelled} backup`, `destroy ${spelled}`]);
  });

  it("leaves the address its id, by which the peer knows it until it is withdrawn", async () => {
    const { world, subflow } = await withSubflow();
    await world.subflows.destroy(world.connection, subflow);
    world.emit(ofSubflow("subflowClosed"));
    assert.equal(world.ids.of(world.connection).find("10.0.0.2"), 1);
  });

  it("that the kernel does not have says so", async () => {
    const { world, subflow } = await withSubflow();
    world.kernel.loseSubflows();
    await assert.rejects(world.subflows.destroy(world.connection, subflow), { code: "ESRCH" });
  });

  it("that is still connecting ends the attempt, and fails for who asked for it", async () => {
    const world = new CommandsWorld();
    world.sockets.show(subflowOutline({ state: "syn-sent" }));
    const outcome = world.ask();
    await world.subflows.destroy(world.connection, world.subflow(1));
    world.emit(end);
    assert.deepEqual(await outcome, { code: "ECONNRESET" });
    assert.deepEqual(world.kernel.commands(), [destroyed]);
    assert.deepEqual([world.others(), world.told, world.pending()], [[], [], nothingPending]);
  });

  it("that is still connecting fails for who asked for it, also where the kernel has nothing to end", async () => {
    for (const shown of [[], [subflowOutline({ state: "syn-sent" })]]) {
      const world = new CommandsWorld();
      world.sockets.show(...shown);
      world.kernel.afterCommand = () => world.kernel.loseSubflows();
      const outcome = world.ask();
      const subflow = world.subflow(1);
      await world.subflows.destroy(world.connection, subflow);
      assert.deepEqual(await outcome, { code: "ECONNABORTED" });
      assert.equal(subflow.state, "closed");
      assert.deepEqual([world.others(), world.told, world.pending()], [[], [], nothingPending]);
    }
  });

  it("that is still connecting says so when it cannot be looked for", async () => {
    const world = new CommandsWorld();
    const error = new Error("no list");
    world.sockets.onDump = () => Promise.reject(error);
    const outcome = world.ask();
    const destroying = world.subflows.destroy(world.connection, world.subflow(1));
    await assert.rejects(destroying, (thrown) => thrown === error);
    world.emit(ofSubflow("subflowEstablished"));
    assert.equal(await outcome, "created");
  });
});

describe("making a subflow backup", () => {
  it("is asked of the kernel, and told to nobody", async () => {
    const { world, subflow } = await withSubflow();
    for (const backup of [true, true, false]) {
      await world.subflows.setBackup(world.connection, subflow, backup);
      assert.equal(subflow.localBackup, backup);
    }
    assert.equal(subflow.backup, false);
    const ends = "10.0.0.2:50000 > 10.1.0.1:80";
    assert.deepEqual(world.kernel.commands(), [
      `set ${ends} backup`,
      `set ${ends} backup`,
      `set ${ends} plain`,
    ]);
    assert.deepEqual(world.told, []);
  });

  it("does not change what the peer asks for", async () => {
    const { world, subflow } = await withSubflow();
    world.emit(ofSubflow("subflowPriority", { backup: true }));
    await world.subflows.setBackup(world.connection, subflow, false);
    assert.equal(subflow.backup, true);
  });

  it("changes nothing where the kernel refuses", async () => {
    const { world, subflow } = await withSubflow();
    world.kernel.beforeCommand = () => Promise.reject(new KernelError("set", 3));
    await assert.rejects(world.subflows.setBackup(world.connection, subflow, true), { code: "ESRCH" });
    assert.equal(subflow.backup, false);
    assert.deepEqual(world.told, []);
  });

  it("is newer than a listing that was made before", async () => {
    const { world, subflow } = await withSubflow();
    const changed = world.table.watchChanges();
    await world.subflows.setBackup(world.connection, subflow, true);
    assert.deepEqual([...changed], [1]);
  });
});
