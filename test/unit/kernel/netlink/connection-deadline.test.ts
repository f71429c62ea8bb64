import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { RunningClock } from "../../../../src/base/deadlines.ts";
import type { ConnectionOptions } from "../../../../src/kernel/netlink/connection.ts";
import type { OpenTransport } from "../../../../src/kernel/netlink/socket.ts";
import type { NetlinkMessage } from "../../../../src/kernel/netlink/wire.ts";
import { turn, VirtualClock } from "../../../../src/path-managers/simulation/clock.ts";
import { frame } from "../../../lab/datagram.ts";
import { ack, FakeKernel, isDump, multipart, type Reply } from "../../../lab/fake-kernel.ts";
import { connect, GET, reply, set, thing } from "./connect.ts";

const list = { what: "list things", type: GET };
const idOf = (message: NetlinkMessage) => thing.decode(message).id;
const all = [1, 2, 3, 4, 5].map((id) => reply({ id }));

/** A connection in virtual time, whose deadline of 5 s is as in mptcpd. */
function inVirtualTime(
  t: TestContext,
  answer?: (request: NetlinkMessage) => readonly Reply[],
  options: Partial<ConnectionOptions> = {},
) {
  const clock = new VirtualClock();
  return { clock, ...connect(t, answer, { clock: new RunningClock(clock), ...options }) };
}

/** Whether a promise has settled yet. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  await turn();
  return (await Promise.race([promise.catch(() => undefined), pending])) !== pending;
}

describe("the deadline of a request", () => {
  it("passes when the kernel stays silent, after one to one and a half times as long", async (t) => {
    const { clock, connection } = inVirtualTime(t, () => []);
    const outcome = connection.request(set({ id: 1 }));
    outcome.catch(() => undefined);
    await clock.advance(4999);
    assert.equal(await isSettled(outcome), false);
    await clock.advance(2502);
    await assert.rejects(outcome, {
      name: "TimeoutError",
      code: "ETIMEDOUT",
      retryable: true,
      message: "cannot set thing: no answer from the kernel in 5000 ms",
    });
  });

  it("does not count the time in which the machine stood still", async (t) => {
    for (const at of [0, 2400, 4900]) {
      const { clock, connection } = inVirtualTime(t, () => []);
      const outcome = connection.request(set({ id: 1 }));
      outcome.catch(() => undefined);
      await clock.advance(at);
      clock.block(3_600_000);
      await clock.advance(4999 - at - 500);
      assert.equal(await isSettled(outcome), false, `pause after ${at} ms`);
    }
  });

  it("does not pass while the answer is in the socket, and not read", async (t) => {
    const clock = new VirtualClock();
    const { kernel, connection } = connect(
      t,
      (request) => (isDump(request) ? multipart(all) : [ack(request)]),
      { clock },
    );
    kernel.pause();
    const outcome = connection.requestNow(set({ id: 1 }));
    const dumped = connection.dump(list, idOf);
    await clock.advance(8000);
    kernel.resume();
    await outcome;
    assert.deepEqual((await dumped).items, [1, 2, 3, 4, 5]);
  });

  it("begins when the request is sent, not while it waits for those before it", async (t) => {
    const begin: (() => void)[] = [];
    const kernel = new FakeKernel((request) => [ack(request)]);
    const open: OpenTransport = (options) => {
      const socket = kernel.open(options);
      const send = (message: Uint8Array, onStart?: () => void): Promise<void> =>
        new Promise((resolve) => {
          begin.push(() => {
            onStart?.();
            socket.sendNow(message);
            resolve();
          });
        });
      return Object.assign(socket, { send });
    };
    const { clock, connection } = inVirtualTime(t, undefined, { open });
    const outcome = connection.request(set({ id: 1 }));
    await clock.advance(60_000);
    assert.equal(await isSettled(outcome), false);
    begin[0]?.();
    await outcome;
  });

  it("of a dump begins anew with each part of it", async (t) => {
    const { clock, kernel, connection } = inVirtualTime(t, () => []);
    const outcome = connection.dump(list, idOf);
    await turn();
    const [request] = kernel.requests;
    assert.ok(request);
    const { sequence, portId } = request;
    for (const { type, flags = 0, payload } of multipart(all)) {
      await clock.advance(4_000);
      kernel.deliver(frame({ type, flags, sequence, portId }, payload));
    }
    assert.deepEqual((await outcome).items, [1, 2, 3, 4, 5]);
  });

  it("of a dump lets the next one have its turn, in time", async (t) => {
    let silent = true;
    const { clock, connection } = inVirtualTime(t, () => (silent ? [] : multipart(all)));
    const first = connection.dump(list, idOf);
    const second = connection.dump(list, idOf);
    const failed = assert.rejects(first, { code: "ETIMEDOUT" });
    await clock.advance(7_500);
    await failed;
    silent = false;
    await clock.advance(7_500);
    assert.deepEqual((await second).items, [1, 2, 3, 4, 5]);
  });
});
