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
    await thread.send(
      async () => {
        by = "this one";
        now += milliseconds;
      },
      async () => {
        by = "another";
      },
    );
    return by;
  };
  return { send, wait: (milliseconds: number) => (now += milliseconds) };
}

describe("the thread that sends a command", () => {
  it("is this one while commands are quick", async () => {
    const { send } = setUp();
    for (const milliseconds of [0.1, 2, 2]) assert.equal(await send(milliseconds), "this one");
  });

  it("is another one after a slow command, for 100 times as long as that took", async () => {
    const { send, wait } = setUp();
    assert.equal(await send(3), "this one");
    wait(299);
    assert.equal(await send(0.1), "another");
    wait(1);
    assert.equal(await send(0.1), "this one");
  });

  it("is this one again after a minute, however long the machine stood still", async () => {
    const { send, wait } = setUp();
    await send(3_600_000);
    wait(59_999);
    assert.equal(await send(0.1), "another");
    wait(1);
    assert.equal(await send(0.1), "this one");
  });
});
