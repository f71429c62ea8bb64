import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { NetlinkConnection } from "../../../../src/kernel/netlink/connection.ts";
import type { NetlinkMessage } from "../../../../src/kernel/netlink/wire.ts";
import { frame } from "../../../lab/datagram.ts";
import { ack, FakeKernel, isDump, multipart, refuse } from "../../../lab/fake-kernel.ts";
import { connect, GET, NEW, reply, set, thing } from "./connect.ts";

const EINVAL = 22;

describe("request", () => {
  it("resolves with the kernel's ack", async (t) => {
    const { kernel, connection } = connect(t, (request) => [ack(request)]);
    await connection.request(set({ id: 1 }));
    assert.deepEqual(thing.decode(kernel.requests[0] ?? new Uint8Array()), { id: 1 });
  });

  it("rejects with the errno, the kernel's words, and the name of the attribute at fault", async (t) => {
    // The offset of inner.port: 16 of the header, 8 of id, 4 of inner's header.
    const { connection } = connect(t, (request) => [
      refuse(request, EINVAL, { message: "port taken", offset: 28 }),
    ]);
    await assert.rejects(connection.request(set({ id: 1, inner: { port: 2 } })), {
      name: "KernelError",
      code: "EINVAL",
      errno: EINVAL,
      what: "set thing",
      extendedAck: "port taken",
      reason: "port taken (EINVAL)",
      attribute: "inner.port",
      retryable: false,
      message: "cannot set thing: port taken (EINVAL)",
    });
  });

  it("gives the errno's own words, and the place, where the kernel has none", async (t) => {
    const { connection } = connect(t, (request) => [refuse(request, EINVAL, { offset: 16 })]);
    await assert.rejects(connection.request(set({ id: 1 })), {
      message: "cannot set thing: invalid argument at id (EINVAL)",
    });
  });

  it("names the attribute that the kernel misses", async (t) => {
    const missing = [{ missingType: 2 }, { missingType: 5, missingNest: 24 }];
    const { connection } = connect(t, (request) => [refuse(request, EINVAL, missing.shift())]);
    await assert.rejects(connection.request(set({ id: 1 })), { attribute: "name" });
    await assert.rejects(connection.request(set({ id: 1, inner: {} })), { attribute: "inner.port" });
  });

  it("may have others in flight: each gets its own answer", async (t) => {
    const waiting: NetlinkMessage[] = [];
    const { kernel, connection } = connect(t, (request) => {
      waiting.push(request);
      return [];
    });
    const outcomes = Promise.allSettled([1, 2, 3].map((id) => connection.request(set({ id }))));
    for (const request of waiting.reverse()) {
      const { id } = thing.decode(request);
      const { type, payload } = id === 2 ? refuse(request, 1) : ack(request);
      kernel.deliver(frame({ type, flags: 0, sequence: request.sequence, portId: request.portId }, payload));
    }
    assert.deepEqual(
      (await outcomes).map(({ status }) => status),
      ["fulfilled", "rejected", "fulfilled"],
    );
  });

  it("believes the kernel only: not other processes, other ports, other sequence numbers", async (t) => {
    const { kernel, connection } = connect(t);
    let isAnswered = false;
    const outcome = connection.request(set({ id: 1 })).then(() => {
      isAnswered = true;
    });
    const [request] = kernel.requests;
    assert.ok(request);
    const { type, payload } = ack(request);
    const { sequence, portId } = request;
    kernel.deliver(frame({ type, flags: 0, sequence, portId }, payload), 4711);
    kernel.deliver(frame({ type, flags: 0, sequence, portId: portId + 1 }, payload));
    kernel.deliver(frame({ type, flags: 0, sequence: sequence + 1, portId }, payload));
    await turn();
    assert.equal(isAnswered, false);
    kernel.deliver(frame({ type, flags: 0, sequence, portId }, payload));
    await outcome;
  });

  it("makes the words of an error only when there is one", async (t) => {
    let refused = false;
    const { connection } = connect(t, (request) => [refused ? refuse(request, EINVAL) : ack(request)]);
    const what = t.mock.fn(() => "set thing");
    await connection.request({ ...set({ id: 1 }), what });
    assert.equal(what.mock.callCount(), 0);
    refused = true;
    await assert.rejects(connection.requestNow({ ...set({ id: 1 }), what }), {
      message: "cannot set thing: invalid argument (EINVAL)",
    });
  });

  it("rejects a value that its attribute cannot hold, sends nothing, and goes on", async (t) => {
    const { kernel, connection } = connect(t, (request) =>
      isDump(request) ? multipart([]) : [ack(request)],
    );
    const unfit = set({ id: 256 });
    const expected = { name: "NetlinkValueError", message: "attribute id: 256 is no u8" };
    await assert.rejects(connection.request(unfit), expected);
    await assert.rejects(connection.requestNow(unfit), expected);
    await assert.rejects(
      connection.dump(unfit, () => 1),
      expected,
    );
    assert.equal(kernel.requests.length, 0);
    await connection.requestNow(set({ id: 1 }));
    await connection.dump({ what: "list things", type: GET }, () => 1);
    assert.deepEqual(thing.decode(kernel.requests[0] ?? new Uint8Array()), { id: 1 });
  });

  it("rejects when it cannot be sent, with the socket's code", async (t) => {
    const kernel = new FakeKernel();
    const failure = Object.assign(new Error("send to the kernel: no buffer space"), { code: "ENOBUFS" });
    const connection = NetlinkConnection.open({
      protocol: 0,
      open: (options) =>
        Object.assign(kernel.open(options), {
          send: () => Promise.reject(failure),
          sendNow: () => {
            throw failure;
          },
        }),
    });
    t.after(() => connection.close());
    const expected = {
      code: "ENOBUFS",
      cause: failure,
      message: "cannot set thing: send to the kernel: no buffer space",
    };
    await assert.rejects(connection.request(set({ id: 1 })), expected);
    await assert.rejects(
      connection.dump(set({ id: 1 }), () => 1),
      expected,
    );
  });
});

describe("requestNow", () => {
  it("is sent before it returns", async (t) => {
    const { kernel, connection } = connect(t, (request) => [refuse(request, 1)]);
    const outcome = connection.requestNow(set({ id: 1 }));
    assert.equal(kernel.requests.length, 1);
    await assert.rejects(outcome, { code: "EPERM" });
  });
});

describe("get", () => {
  it("resolves to what the answer says, read while its bytes are valid", async (t) => {
    const { connection } = connect(t, (request) => [reply({ id: 1, name: "one" }), ack(request)]);
    assert.deepEqual(
      await connection.get({ what: "get thing", type: GET }, (message) => thing.decode(message)),
      [{ id: 1, name: "one" }],
    );
  });

  it("rejects when the answer makes no sense", async (t) => {
    const nonsense = { type: NEW, payload: Uint8Array.of(3, 0, 1, 0) };
    const { connection } = connect(t, (request) => [nonsense, ack(request)]);
    await assert.rejects(
      connection.get({ what: "get thing", type: GET }, (message) => thing.decode(message)),
      {
        code: "EBADMSG",
      },
    );
  });
});

describe("an overrun", () => {
  it("is told to listeners, rejects what is in flight as retryable, and the connection lives on", async (t) => {
    let silent = true;
    const { kernel, connection } = connect(t, (request) => (silent ? [] : [ack(request)]));
    const listener = t.mock.fn();
    connection.onOverrun(listener);
    const outcome = connection.request(set({ id: 1 }));
    kernel.overrun();
    await assert.rejects(outcome, { name: "OverrunError", code: "ENOBUFS", retryable: true });
    assert.equal(listener.mock.callCount(), 1);
    silent = false;
    await connection.request(set({ id: 1 }));
  });
});

describe("close", () => {
  it("rejects what is in flight, what waits, and what comes after", async () => {
    const kernel = new FakeKernel();
    const connection = NetlinkConnection.open({ protocol: 0, open: kernel.open });
    const outcomes = [
      connection.request(set({ id: 1 })),
      connection.dump({ what: "list things", type: GET }, () => 1),
      connection.dump({ what: "list things", type: GET }, () => 1),
    ];
    const settled = Promise.allSettled(outcomes);
    connection.close();
    connection.close();
    outcomes.push(connection.request(set({ id: 1 })));
    for (const outcome of outcomes) await assert.rejects(outcome, { name: "ClosedError", code: "ECANCELED" });
    await settled;
    assert.equal(kernel.socketCount, 0);
  });
});
