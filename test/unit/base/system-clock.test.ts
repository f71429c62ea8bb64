import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MessageChannel } from "node:worker_threads";
import { systemClock } from "../../../src/base/clock.ts";
import { waitFor } from "../../../src/lab/kit/wait.ts";
import { openSocket } from "../../lab/netlink-socket.ts";

describe("the machine's clock, after this process stood still beyond a timer", () => {
  it("calls back after what had arrived from the kernel was read", async (t) => {
    const order: string[] = [];
    const socket = openSocket(t, { onReceive: () => order.push("answer") });
    systemClock.schedule(5, () => order.push("timer"));
    socket.sendNow(noop);
    assert.equal(socket.hasUnread(), true);
    standStill(50);
    await waitFor("both", () => order.length === 2);
    assert.deepEqual(order, ["answer", "timer"]);
    assert.equal(socket.hasUnread(), false);
  });

  it("calls back after messages of other threads were read", async (t) => {
    const order: string[] = [];
    const { port1, port2 } = new MessageChannel();
    t.after(() => port1.close());
    port1.on("message", () => order.push("message"));
    systemClock.schedule(5, () => order.push("timer"));
    port2.postMessage("");
    standStill(50);
    await waitFor("both", () => order.length === 2);
    assert.deepEqual(order, ["message", "timer"]);
  });

  it("does not call back what was cancelled, even when its time had come", async () => {
    const timer = systemClock.schedule(1, () => assert.fail("was cancelled"));
    await new Promise<void>((resolve) => {
      setTimeout(() => {
        timer.cancel();
        resolve();
      }, 1);
    });
    await new Promise((resolve) => setTimeout(resolve, 10));
  });
});

describe("a netlink socket", () => {
  it("has nothing unread when it is closed", (t) => {
    const socket = openSocket(t);
    socket.sendNow(noop);
    assert.equal(socket.hasUnread(), true);
    socket.close();
    assert.equal(socket.hasUnread(), false);
  });
});

/** NLMSG_NOOP with NLM_F_REQUEST and NLM_F_ACK, which the kernel answers within sendto(2). */
const noop = Uint8Array.of(16, 0, 0, 0, 1, 0, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0);

function standStill(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
