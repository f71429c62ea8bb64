import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NetlinkConnection } from "../../../../src/kernel/netlink/connection.ts";
import { frame } from "../../../lab/datagram.ts";
import { ack, FakeKernel } from "../../../lab/fake-kernel.ts";
import { connect, NEW, reply, set, thing } from "./connect.ts";

describe("subscribe", () => {
  it("delivers notifications while subscribed", (t) => {
    const { kernel, connection } = connect(t);
    const heard: unknown[] = [];
    const subscription = connection.subscribe(5, (message) => heard.push(thing.decode(message).id));
    kernel.notify(5, reply({ id: 1 }));
    kernel.notify(6, reply({ id: 2 }));
    subscription.close();
    kernel.notify(5, reply({ id: 3 }));
    assert.deepEqual(heard, [1]);
    assert.equal(kernel.hasListener(5), false);
  });

  it("stays in a group until the last handler is gone", (t) => {
    const { kernel, connection } = connect(t);
    const handler = t.mock.fn();
    const [first, second] = [connection.subscribe(5, handler), connection.subscribe(5, handler)];
    kernel.notify(5, reply({ id: 1 }));
    first.close();
    first.close();
    kernel.notify(5, reply({ id: 1 }));
    assert.equal(handler.mock.callCount(), 3);
    second.close();
    assert.equal(kernel.hasListener(5), false);
  });

  it("joins several groups for one handler, which hears each message once", (t) => {
    const { kernel, connection } = connect(t);
    const handler = t.mock.fn();
    const [both, one] = [connection.subscribe([5, 6], handler), connection.subscribe(6, () => undefined)];
    kernel.notify(5, reply({ id: 1 }));
    kernel.notify(6, reply({ id: 2 }));
    assert.equal(handler.mock.callCount(), 2);
    both.close();
    assert.deepEqual([kernel.hasListener(5), kernel.hasListener(6)], [false, true]);
    one.close();
    assert.equal(kernel.hasListener(6), false);
  });

  it("says which group cannot be joined, and leaves the others again", (t) => {
    const kernel = new FakeKernel();
    const connection = NetlinkConnection.open({
      protocol: 0,
      open(options) {
        const socket = kernel.open(options);
        const join = socket.joinGroup.bind(socket);
        return Object.assign(socket, {
          joinGroup(group: number) {
            if (group === 6) throw Object.assign(new Error("not permitted"), { code: "EPERM" });
            join(group);
          },
        });
      },
    });
    t.after(() => connection.close());
    assert.throws(() => connection.subscribe([5, 6], () => undefined), {
      code: "EPERM",
      message: "cannot join multicast group 6: not permitted",
    });
    assert.equal(kernel.hasListener(5), false);
  });

  it("takes a notification of one's own request for what it is, and no late answer for a notification", async (t) => {
    const { kernel, connection } = connect(t, (request) => [ack(request)]);
    const heard: unknown[] = [];
    connection.subscribe(5, (message) => heard.push(thing.decode(message).id));
    const outcome = connection.request(set({ id: 1 }));
    const [request] = kernel.requests;
    assert.ok(request);
    kernel.notify(5, reply({ id: 1 }), { sequence: request.sequence, portId: request.portId });
    kernel.deliver(
      frame(
        { flags: 0, sequence: 99, portId: request.portId, ...reply({ id: 2 }) },
        reply({ id: 2 }).payload,
      ),
    );
    await outcome;
    assert.deepEqual(heard, [1]);
  });

  it("calls every handler, also after one that throws or ends another", (t) => {
    const { kernel, connection } = connect(t);
    const errors: unknown[] = [];
    const heard: string[] = [];
    connection.onError((error) => errors.push(error));
    connection.subscribe(5, () => {
      ended.close();
      throw new Error("fault of a handler");
    });
    const ended = connection.subscribe(5, () => heard.push("ended"));
    connection.subscribe(5, () => heard.push("last"));
    kernel.notify(5, reply({ id: 1 }));
    assert.deepEqual(heard, ["last"]);
    assert.deepEqual(errors, [new Error("fault of a handler")]);
  });

  it("says when all of a batch was handled, to every listener", (t) => {
    const { kernel, connection } = connect(t);
    const heard: unknown[] = [];
    const errors: unknown[] = [];
    connection.onError((error) => errors.push(error));
    connection.subscribe(5, (message) => heard.push(thing.decode(message).id));
    connection.onBatchEnd(() => {
      throw new Error("fault of a listener");
    });
    const subscription = connection.onBatchEnd(() => heard.push("end"));
    const header = { flags: 0, sequence: 0, portId: 0 };
    const parts = [reply({ id: 1 }), reply({ id: 2 })].map(({ type, payload }) =>
      frame({ type, ...header }, payload),
    );
    kernel.deliver(Buffer.concat(parts));
    subscription.close();
    kernel.notify(5, reply({ id: 3 }));
    assert.deepEqual(heard, [1, 2, "end", 3]);
    assert.equal(errors.length, 2);
  });

  it("reports what cannot be decoded, and goes on", (t) => {
    const { kernel, connection } = connect(t);
    const errors: unknown[] = [];
    const heard: unknown[] = [];
    connection.onError((error) => errors.push(error));
    connection.subscribe(5, (message) => heard.push(thing.decode(message).id));
    kernel.notify(5, { type: NEW, payload: Uint8Array.of(1, 0, 1, 0) });
    kernel.deliver(Uint8Array.of(1, 2, 3));
    kernel.notify(5, reply({ id: 2 }));
    assert.deepEqual(heard, [2]);
    assert.deepEqual(
      errors.map((error) => error instanceof Error && error.name),
      ["NetlinkProtocolError", "NetlinkProtocolError"],
    );
  });
});
