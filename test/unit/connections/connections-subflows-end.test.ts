import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { foundConnections } from "../../../src/connections/found.ts";
import type { SubflowRecord } from "../../../src/connections/record.ts";
import { AF_INET6 } from "../../../src/kernel/rtnetlink.ts";
import { KernelError } from "../../../src/netlink/errors.ts";
import { closed, initialEnds, ofSubflow, outline, subflowOutline } from "./builders.ts";
import { CommandsWorld, nothingPending } from "./commands-world.ts";

const from = { address: "10.0.0.2" };
const destroyed = "destroy 10.0.0.2:50000 > 10.1.0.1:80";
/** The end of an attempt, as the kernel tells it once it was destroyed. */
const end = ofSubflow("subflowClosed", { remotePort: 0, error: 104 });

type Outcome = { readonly code: unknown } | "created";

/** Asks for a subflow; gives what becomes of that, in time. */
function ask(world: CommandsWorld, deadline?: number): Promise<Outcome> {
  const creating = world.subflows.create(world.connection, { from, deadline, signal: world.signal.signal });
  world.kernel.commands();
  return creating.then(
    () => "created",
    (error) => ({ code: error?.code ?? error }),
  );
}

/** A world with an established subflow that was asked for. */
async function withSubflow(given?: ConstructorParameters<typeof CommandsWorld>[0]) {
  const world = new CommandsWorld(given);
  const creating = ask(world);
  world.emit(ofSubflow("subflowEstablished"));
  await creating;
  world.told.length = 0;
  return { world, subflow: at(world, 1) };
}

function at(world: CommandsWorld, index: number): SubflowRecord {
  const subflow = world.connection.subflows[index];
  assert.ok(subflow);
  return subflow;
}

describe("a subflow that the peer does not answer", () => {
  it("is given up at its deadline, in ten seconds if none is given, and ended in the kernel", async () => {
    for (const deadline of [undefined, 50]) {
      const world = new CommandsWorld();
      world.sockets.show(subflowOutline({ state: "syn-sent" }));
      world.kernel.beforeCommand = (command) => {
        if (command.startsWith("destroy")) world.emit(end);
      };
      const outcome = ask(world, deadline);
      world.clock.advance((deadline ?? 10_000) - 1);
      assert.equal(world.pending().timers, 1);
      world.clock.advance(1);
      assert.deepEqual(await outcome, { code: "ETIMEDOUT" });
      assert.deepEqual(world.kernel.commands(), [destroyed]);
      assert.deepEqual([world.others(), world.told, world.pending()], [[], [], nothingPending]);
    }
  });

  it("is ended when nobody waits for it any more", async () => {
    const world = new CommandsWorld();
    world.sockets.show(subflowOutline({ state: "syn-recv" }));
    const reason = new Error("enough");
    const outcome = ask(world);
    world.signal.abort(reason);
    assert.deepEqual(await outcome, { code: reason });
    world.emit(end);
    assert.deepEqual(world.kernel.commands(), [destroyed]);
    assert.deepEqual([world.others(), world.told, world.pending()], [[], [], nothingPending]);
  });

  it("is ended also when the wait ends while the kernel is asked", async () => {
    const world = new CommandsWorld();
    world.sockets.show(subflowOutline({ state: "syn-sent" }));
    const reason = new Error("enough");
    world.kernel.beforeCommand = () => world.signal.abort(reason);
    assert.deepEqual(await ask(world), { code: reason });
    assert.deepEqual(world.kernel.commands(), [destroyed]);
  });

  it("is out of the way where nothing of it is left in the kernel", async () => {
    const local = { address: "10.0.0.3", port: 50000 };
    const remote = { address: "10.1.0.1", port: 81 };
    for (const other of [
      { state: "established" },
      { state: "syn-sent", localId: 2 },
      { state: "syn-sent", local },
      { state: "syn-sent", remote },
      { state: "syn-sent", remote: { address: "10.1.0.2", port: 80 } },
    ] as const) {
      const world = new CommandsWorld();
      world.sockets.show(subflowOutline(other));
      const elsewhere = outline({ token: 2, subflows: [subflowOutline({ state: "syn-sent" })] });
      world.sockets.outlines.unshift(elsewhere);
      const outcome = ask(world);
      world.clock.advance(10_000);
      assert.deepEqual(await outcome, { code: "ETIMEDOUT" });
      assert.deepEqual(world.kernel.commands(), [], "what is another's stays");
      assert.deepEqual([world.others(), world.told, world.pending()], [[], [], nothingPending]);
      world.emit(ofSubflow("subflowClosed"));
      assert.equal(world.told.length, 1, "who comes next is not taken for it");
    }
  });

  it("is out of the way where the kernel cannot end it any more", async () => {
    const world = new CommandsWorld();
    world.sockets.show(subflowOutline({ state: "syn-sent" }));
    world.kernel.subflows = [];
    const outcome = ask(world);
    world.clock.advance(10_000);
    assert.deepEqual(await outcome, { code: "ETIMEDOUT" });
    assert.deepEqual([world.others(), world.told], [[], []]);
  });

  it("stays if it is established after all before it is ended", async () => {
    const world = new CommandsWorld();
    world.sockets.show(subflowOutline({ state: "syn-sent" }));
    world.sockets.onDump = () => world.emit(ofSubflow("subflowEstablished"));
    const outcome = ask(world);
    world.clock.advance(10_000);
    assert.deepEqual(await outcome, { code: "ETIMEDOUT" });
    assert.deepEqual(world.kernel.commands(), []);
    assert.deepEqual(world.told, ["newSubflow 1: 10.0.0.2:50000 > 10.1.0.1:80"], "everybody knows of it");
    assert.equal(world.others().length, 1);
  });

  it("needs no ending when it ends meanwhile, with its connection or without", async () => {
    for (const [event, told] of [
      [end, []],
      [closed(), ["connectionClosed 1"]],
    ] as const) {
      const world = new CommandsWorld();
      world.sockets.show(subflowOutline({ state: "syn-sent" }));
      world.sockets.onDump = () => world.emit(event);
      const outcome = ask(world);
      world.clock.advance(10_000);
      assert.deepEqual(await outcome, { code: "ETIMEDOUT" });
      assert.deepEqual(world.kernel.commands(), []);
      assert.deepEqual([world.told, world.pending()], [told, nothingPending]);
    }
  });

  it("is said not to have been answered, also where it cannot be looked for; the kernel ends it later", async () => {
    const world = new CommandsWorld();
    world.sockets.onDump = () => Promise.reject(new Error("no list"));
    const outcome = ask(world);
    world.clock.advance(10_000);
    assert.deepEqual(await outcome, { code: "ETIMEDOUT" });
    world.emit(end);
    assert.deepEqual([world.others(), world.told], [[], []]);
  });

  it("is gone after two readings if the event of its end got lost", async () => {
    const world = new CommandsWorld();
    world.sockets.show(subflowOutline({ state: "syn-sent" }));
    const outcome = ask(world);
    world.clock.advance(10_000);
    await outcome;
    world.sockets.show();
    for (const reading of [1, 2])
      for (const found of foundConnections(world.sockets.outlines))
        assert.equal(
          world.table.reconcile(found, () => undefined),
          reading === 1,
        );
    assert.deepEqual([world.others(), world.told], [[], []]);
  });
});

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
    await world.subflows.destroy(world.connection, at(world, 1));
    await world.subflows.setBackup(world.connection, at(world, 1), true);
    const spelled = "[::ffff:10.0.0.2]:50000 > [::ffff:10.1.0.1]:80";
    assert.deepEqual(world.kernel.commands(), [`destroy ${spelled}`, `set ${spelled} backup`]);
  });

  it("frees the id of its address, if that has no other subflow, was not announced and is not the first", async () => {
    const { world, subflow } = await withSubflow();
    const ids = world.ids.of(world.connection);
    world.emit(ofSubflow("subflowEstablished", { localPort: 50001 }));
    await world.subflows.destroy(world.connection, subflow);
    world.emit(ofSubflow("subflowClosed"));
    assert.equal(ids.find("10.0.0.2"), 1);
    await world.subflows.destroy(world.connection, at(world, 1));
    assert.equal(ids.find("10.0.0.2"), undefined);
    world.emit(ofSubflow("subflowClosed", { localPort: 50001 }));
    world.emit(ofSubflow("subflowEstablished", { localAddress: "10.0.0.3", localId: 2 }));
    ids.take("10.0.0.4");
    ids.take("10.0.0.3");
    ids.announce("10.0.0.3", 0);
    await world.subflows.destroy(world.connection, at(world, 1));
    assert.equal(ids.find("10.0.0.3"), 2);
    await world.subflows.destroy(world.connection, at(world, 0));
    world.emit(ofSubflow("subflowClosed", initialEnds));
    assert.equal(ids.find("10.0.0.1"), 0);
  });

  it("that the kernel does not have says so, and frees nothing", async () => {
    const { world, subflow } = await withSubflow();
    world.kernel.subflows = [];
    await assert.rejects(world.subflows.destroy(world.connection, subflow), { code: "ESRCH" });
    assert.equal(world.ids.of(world.connection).find("10.0.0.2"), 1);
  });

  it("that is still connecting ends the attempt, and fails for who asked for it", async () => {
    const world = new CommandsWorld();
    world.sockets.show(subflowOutline({ state: "syn-sent" }));
    const outcome = ask(world);
    await world.subflows.destroy(world.connection, at(world, 1));
    world.emit(end);
    assert.deepEqual(await outcome, { code: "ECONNRESET" });
    assert.deepEqual(world.kernel.commands(), [destroyed]);
    assert.deepEqual([world.others(), world.told, world.pending()], [[], [], nothingPending]);
    assert.equal(world.ids.of(world.connection).find("10.0.0.2"), undefined);
  });

  it("that is still connecting fails for who asked for it, also where the kernel has nothing to end", async () => {
    for (const shown of [[], [subflowOutline({ state: "syn-sent" })]]) {
      const world = new CommandsWorld();
      world.sockets.show(...shown);
      world.kernel.subflows = [];
      const outcome = ask(world);
      const subflow = at(world, 1);
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
    const outcome = ask(world);
    const destroying = world.subflows.destroy(world.connection, at(world, 1));
    await assert.rejects(destroying, (thrown) => thrown === error);
    world.emit(ofSubflow("subflowEstablished"));
    assert.equal(await outcome, "created");
  });
});

describe("making a subflow backup", () => {
  it("is asked of the kernel, and told when it is so", async () => {
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
    assert.deepEqual(world.told, [`subflowPriority 1: ${ends} backup`, `subflowPriority 1: ${ends}`]);
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
