import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { listedConnections } from "../../../../src/control/connections/from-sock-diag.ts";
import { closed, ofSubflow, outline, subflowOutline } from "./builders.ts";
import { CommandsWorld, nothingPending } from "./commands-world.ts";

const destroyed = "destroy 10.0.0.2:50000 > 10.1.0.1:80";
/** The end of an attempt, as the kernel tells it once it was destroyed. */
const end = ofSubflow("subflowClosed", { remotePort: 0, error: 104 });

describe("a subflow that the peer does not answer", () => {
  it("is given up at its deadline, in ten seconds if none is given, and ended in the kernel", async () => {
    for (const deadline of [undefined, 50]) {
      const world = new CommandsWorld();
      world.sockets.show(subflowOutline({ state: "syn-sent" }));
      world.kernel.beforeCommand = (command) => {
        if (command.startsWith("destroy")) world.emit(end);
      };
      const outcome = world.ask(deadline);
      world.clock.advance((deadline ?? 10_000) - 1);
      assert.equal(await Promise.race([outcome, "nothing yet"]), "nothing yet");
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
    const outcome = world.ask();
    world.asking.abort(reason);
    assert.deepEqual(await outcome, { code: reason });
    world.emit(end);
    assert.deepEqual(world.kernel.commands(), [destroyed]);
    assert.deepEqual([world.others(), world.told, world.pending()], [[], [], nothingPending]);
  });

  it("is ended also when the wait ends while the kernel is asked", async () => {
    const world = new CommandsWorld();
    world.sockets.show(subflowOutline({ state: "syn-sent" }));
    const reason = new Error("enough");
    world.kernel.beforeCommand = () => world.asking.abort(reason);
    assert.deepEqual(await world.ask(), { code: reason });
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
      const outcome = world.ask();
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
    world.kernel.afterCommand = () => world.kernel.loseSubflows();
    const outcome = world.ask();
    world.clock.advance(10_000);
    assert.deepEqual(await outcome, { code: "ETIMEDOUT" });
    assert.deepEqual([world.others(), world.told], [[], []]);
  });

  it("stays if it is established after all before it is ended", async () => {
    const world = new CommandsWorld();
    world.sockets.show(subflowOutline({ state: "syn-sent" }));
    world.sockets.onDump = () => world.emit(ofSubflow("subflowEstablished"));
    const outcome = world.ask();
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
      const outcome = world.ask();
      world.clock.advance(10_000);
      assert.deepEqual(await outcome, { code: "ETIMEDOUT" });
      assert.deepEqual(world.kernel.commands(), []);
      assert.deepEqual([world.told, world.pending()], [told, nothingPending]);
    }
  });

  it("is said not to have been answered, also where it cannot be looked for; the kernel ends it later", async () => {
    const world = new CommandsWorld();
    world.sockets.onDump = () => Promise.reject(new Error("no list"));
    const outcome = world.ask();
    world.clock.advance(10_000);
    assert.deepEqual(await outcome, { code: "ETIMEDOUT" });
    world.emit(end);
    assert.deepEqual([world.others(), world.told], [[], []]);
  });

  it("is gone after two readings if the event of its end got lost", async () => {
    const world = new CommandsWorld();
    world.sockets.show(subflowOutline({ state: "syn-sent" }));
    const outcome = world.ask();
    world.clock.advance(10_000);
    await outcome;
    world.sockets.show();
    for (const reading of [1, 2])
      for (const found of listedConnections(world.sockets.outlines))
        assert.equal(
          world.table.reconcile(found, () => undefined),
          reading === 1,
        );
    assert.deepEqual([world.others(), world.told], [[], []]);
  });
});
