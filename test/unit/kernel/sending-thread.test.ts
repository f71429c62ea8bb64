import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SendingThread } from "../../../src/kernel/sending-thread.ts";

/** Sends a command that takes so many milliseconds; which thread did it. */
function setUp() {
  let now = 0;
  const clock = { now: () => now, schedule: () => ({ cancel: () => undefined }) };
  const thread = new SendingThread(clock, 2);
  const send = async (milliseconds: number): Promise<string> => {
    let by = "";
    const connection = {
      requestNow: async () => {
        by = "this one";
        now += milliseconds;
      },
      request: async () => {
        by = "another";
      },
    };
    await thread.send(connection, { what: "send a command", type: 16 });
    return by;
  };
  return { send, wait: (milliseconds: number) => (now += milliseconds) };
}

describe("the thread that sends a command", () => {
  it("is this one while commands are quick", async () => {
    const { send } = setUp();
    for (const milliseconds of [0.1, 2, 2]) assert.equal(await send(milliseconds), "this one");
  });

  it("is this one after a single slow command: the machine may have stood still", async () => {
    const { send } = setUp();
    for (const milliseconds of [3, 0.1, 3, 2, 3600_000]) assert.equal(await send(milliseconds), "this one");
    assert.equal(await send(0.1), "this one");
  });

  it("is another one after two slow commands in a row, for 100 times as long as they took", async () => {
    const { send, wait } = setUp();
    for (const milliseconds of [3, 4]) assert.equal(await send(milliseconds), "this one");
    wait(699);
    assert.equal(await send(0.1), "another");
    wait(1);
    // The kernel is still as slow: one look is enough.
    assert.equal(await send(5), "this one");
    wait(899);
    assert.equal(await send(0.1), "another");
    wait(1);
    for (const milliseconds of [0.1, 3, 0.1]) assert.equal(await send(milliseconds), "this one");
  });

  it("is this one again after a minute, however long the machine stood still", async () => {
    const { send, wait } = setUp();
    for (let round = 0; round < 2; round++) await send(3_600_000);
    wait(59_999);
    assert.equal(await send(0.1), "another");
    wait(1);
    assert.equal(await send(0.1), "this one");
  });
});
