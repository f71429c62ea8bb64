import assert from "node:assert/strict";
import { mkdirSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { Facts } from "../../../../src/control/connections/connection-table.ts";
import { announced, closed, found, opening } from "./builders.ts";
import { CheckpointWorld } from "./checkpoint-world.ts";

/** Whether the file was written anew by what is done: it is replaced then. */
function isReplaced(world: CheckpointWorld, action: () => void): boolean {
  const { ino } = statSync(world.file);
  action();
  return statSync(world.file).ino !== ino;
}

function lineCount(world: CheckpointWorld): number {
  return world.text.split("\n").length;
}

describe("the file of the checkpoint", () => {
  it("grows by what is new, and is not written anew for that", (t) => {
    const world = CheckpointWorld.begun(t);
    const before = world.text;
    const open = readdirSync("/proc/self/fd").length;
    const grow = () => {
      world.apply(opening("created"));
      for (let port = 1; port <= 100; port++) world.apply(announced(3, "10.1.0.2", port));
    };
    assert.ok(!isReplaced(world, grow));
    assert.ok(world.text.startsWith(before));
    assert.equal(lineCount(world), 103, "a header, 101 lines and the end of the last one");
    assert.equal(readdirSync("/proc/self/fd").length, open);
  });

  it("has nothing of a connection that begins and ends before it is written", (t) => {
    const world = CheckpointWorld.begun(t);
    const before = world.text;
    world.apply(opening("created"), opening("established"), announced(3, "10.1.0.2"), closed());
    assert.equal(world.text, before);
    world.apply(opening("created"));
    world.apply(announced(3, "10.1.0.2"), closed(), opening("created"), opening("established"));
    assert.deepEqual(world.text.slice(before.length).split("\n"), [
      '["opened",1,40000,80,false,false,true]',
      '["closed",1]',
      '["opened",1,40000,80,false,false,true]',
      "",
    ]);
  });

  it("is closed with the checkpoint, and not written any more", async (t) => {
    const open = readdirSync("/proc/self/fd").length;
    const world = CheckpointWorld.begun(t);
    world.table.apply(opening("created"));
    world.checkpoint.close();
    assert.equal(readdirSync("/proc/self/fd").length, open);
    assert.notEqual(world.facts(), undefined);
    rmSync(world.file);
    await turn();
    assert.deepEqual(readdirSync(dirname(world.file)), []);
  });

  it("is written again when somebody has removed it, though there is nothing new", (t) => {
    const world = CheckpointWorld.begun(t);
    world.apply(opening("created"), announced(3, "10.1.0.2"));
    rmSync(dirname(world.file), { recursive: true });
    world.checkpoint.flush();
    assert.equal(world.facts()?.announced.length, 1);
  });

  it("stays small however many connections come and go", (t) => {
    const world = CheckpointWorld.begun(t);
    world.apply(opening("created"), announced(3, "10.1.0.2"));
    let [longest, replaced] = [0, 0];
    for (let round = 0; round < 100; round++) {
      const tokens = Array.from({ length: 150 }, (_, index) => 2 + round * 150 + index);
      const churn = () => {
        world.apply(...tokens.map((token) => opening("created", { token })));
        world.apply(...tokens.map((token) => closed(token)));
      };
      if (isReplaced(world, churn)) replaced++;
      longest = Math.max(longest, lineCount(world));
    }
    assert.ok(longest < 11_000, `${longest} lines`);
    assert.equal(replaced, 3, "for 30,000 lines");
    assert.equal(world.facts()?.announced.length, 1, "and what is there is kept");
    assert.equal(world.facts({ token: 2 + 99 * 150 }), undefined);
  });

  it("is written anew seldom, however much is announced of each connection", (t) => {
    const world = CheckpointWorld.begun(t);
    const addresses = [1, 2, 3, 4, 5, 6, 7, 8].map((id) => ({ id, address: `10.1.1.${id}`, port: 80 }));
    const facts: Facts = {
      ...{ serverSide: true, denyJoinId0: false, announced: addresses, announcedIsComplete: true },
    };
    for (let token = 1; token <= 1500; token++) world.table.reconcile(found({ token }), () => facts);
    world.checkpoint.begin();
    const replaced = Array.from({ length: 20 }, (_, index) =>
      isReplaced(world, () => world.apply(announced(9, "10.1.0.2", 1 + index))),
    );
    assert.equal(replaced.filter(Boolean).length, 0);
  });

  it("is written anew before it is larger than what is read", (t) => {
    const world = CheckpointWorld.begun(t);
    const address = "x".repeat(4000);
    const addresses = [1, 2, 3, 4, 5, 6, 7].map((id) => ({ id, address, port: 80 }));
    const facts: Facts = {
      ...{ serverSide: true, denyJoinId0: false, announced: addresses, announcedIsComplete: true },
    };
    for (let token = 1; token <= 1300; token++) world.table.reconcile(found({ token }), () => facts);
    world.checkpoint.begin();
    let largest = 0;
    for (let round = 0; round < 100; round++) {
      world.apply(...Array.from({ length: 100 }, (_, port) => announced(9, address, 1 + port)));
      largest = Math.max(largest, statSync(world.file).size);
    }
    assert.ok(largest > 40e6 && largest < 64 * 1024 * 1024, `${largest} bytes`);
    assert.equal(world.facts()?.announced.length, 8);
  });
});

describe("when the file of the checkpoint is not as it was left", () => {
  it("a directory that was cleaned up is made again, with all that is known", (t) => {
    const world = CheckpointWorld.begun(t);
    world.apply(opening("created"));
    rmSync(dirname(world.file), { recursive: true });
    world.apply(announced(3, "10.1.0.2"));
    assert.equal(world.facts()?.announced.length, 1);
    assert.deepEqual(world.warnings, []);
  });

  it("a file that was deleted is made again: nobody could use it without its beginning", (t) => {
    const world = CheckpointWorld.begun(t);
    world.apply(opening("created"));
    rmSync(world.file);
    world.apply(announced(3, "10.1.0.2"));
    assert.equal(world.facts()?.announced.length, 1);
    assert.deepEqual(world.warnings, []);
  });

  it("a file that another mptcpd has put there is left to that one", (t) => {
    const world = CheckpointWorld.begun(t);
    world.apply(opening("created"));
    world.isTaken = true;
    for (const leave of [() => rmSync(world.file), () => writeFileSync(world.file, "theirs")]) {
      leave();
      world.apply(announced(3, "10.1.0.2"));
      world.checkpoint.flush();
    }
    assert.equal(world.text, "theirs");
    world.isTaken = false;
    world.apply(announced(4, "10.1.0.2"));
    assert.equal(world.facts()?.announced.length, 2);
    assert.deepEqual(world.warnings, []);
  });

  it("it warns once, throws nothing, and remembers everything once it can", (t) => {
    const world = CheckpointWorld.begun(t);
    const runtime = dirname(world.file);
    rmSync(runtime, { recursive: true });
    // Where there should be a directory there is a file.
    writeFileSync(runtime, "");
    world.apply(opening("created"));
    for (let id = 1; id <= 5; id++) world.apply(announced(id, "10.1.0.2"));
    assert.equal(world.warnings.length, 1);
    assert.match(
      world.warnings[0] ?? "",
      /after a restart, mptcpd will not know everything about its connections/,
    );
    rmSync(runtime);
    mkdirSync(runtime);
    for (let id = 6; id <= 9; id++) world.apply(announced(id, "10.1.0.2"));
    assert.equal(world.facts()?.announced.length, 9);
    assert.equal(world.warnings.length, 1);
    rmSync(runtime, { recursive: true });
    writeFileSync(runtime, "");
    world.apply(closed());
    assert.equal(world.warnings.length, 2, "another time, another warning");
  });

  it("it adds nothing to a file that lacks what could not be written", (t) => {
    const world = CheckpointWorld.begun(t);
    for (let token = 1; token <= 50; token++) world.apply(opening("created", { token }));
    const { text } = world;
    const runtime = dirname(world.file);
    rmSync(runtime, { recursive: true });
    writeFileSync(runtime, "");
    world.apply(announced(3, "10.1.0.2"));
    // The old file is back, as after a full disk.
    rmSync(runtime);
    mkdirSync(runtime);
    writeFileSync(world.file, text);
    world.apply(announced(4, "10.1.0.2"));
    const ids = () => world.facts()?.announced.map(({ id }) => id);
    assert.ok([0, 2].includes(ids()?.length ?? 0), "all or nothing");
    for (let token = 51; token <= 110; token++) world.apply(opening("created", { token }));
    assert.deepEqual(ids(), [3, 4], "before as much is new as there was");
  });

  it("it begins where it cannot write, and warns", (t) => {
    const world = new CheckpointWorld(t);
    writeFileSync(dirname(world.file), "");
    world.checkpoint.load();
    world.checkpoint.begin();
    assert.equal(world.warnings.at(-1)?.includes("after a restart, mptcpd will not know"), true);
  });

  it("it goes on after a line that was cut short", (t) => {
    const world = CheckpointWorld.begun(t);
    world.apply(opening("created"), announced(3, "10.1.0.2"));
    truncateSync(world.file, world.text.length - 5);
    const next = world.another();
    next.load();
    next.begin();
    assert.equal(world.facts()?.announced.length, 1, "from the table");
  });
});
