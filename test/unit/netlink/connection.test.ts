import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { body, type ConnectionOptions, NetlinkConnection } from "../../../src/netlink/connection.ts";
import { attributes, nested, string, u8, u16 } from "../../../src/netlink/schema.ts";
import { ack, FakeKernel, isDump, multipart, type Reply, refuse } from "../../../src/netlink/testing.ts";
import { frame, type NetlinkMessage } from "../../../src/netlink/wire.ts";

const thing = attributes({ id: u8(1), name: string(2), inner: nested(3, attributes({ port: u16(5) })) });
const NEW = 16;
const SET = 17;
const GET = 18;
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

  it("fails at its deadline when the kernel stays silent", async (t) => {
    const { connection } = connect(t, () => [], { deadline: 5 });
    await assert.rejects(connection.request(set({ id: 1 })), {
      name: "TimeoutError",
      code: "ETIMEDOUT",
      retryable: true,
      message: "cannot set thing: no answer from the kernel in 5 ms",
    });
  });

  it("believes the kernel only: not other processes, other ports, other sequence numbers", async (t) => {
    const { kernel, connection } = connect(t, () => [], { deadline: 5 });
    const outcome = connection.request(set({ id: 1 }));
    const [request] = kernel.requests;
    assert.ok(request);
    const { type, payload } = ack(request);
    const { sequence, portId } = request;
    kernel.deliver(frame({ type, flags: 0, sequence, portId }, payload), 4711);
    kernel.deliver(frame({ type, flags: 0, sequence, portId: portId + 1 }, payload));
    kernel.deliver(frame({ type, flags: 0, sequence: sequence + 1, portId }, payload));
    await assert.rejects(outcome, { code: "ETIMEDOUT" });
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

describe("dump", () => {
  const list = { what: "list things", type: GET };
  const all = [1, 2, 3, 4, 5].map((id) => reply({ id }));
  const idOf = (message: NetlinkMessage) => thing.decode(message).id;

  it("collects the messages of all datagrams until DONE, and leaves out what read() does not want", async (t) => {
    const { connection } = connect(t, (request) => {
      assert.ok(isDump(request));
      return multipart(all);
    });
    const odd = (message: NetlinkMessage) => ((idOf(message) ?? 0) % 2 === 1 ? idOf(message) : undefined);
    assert.deepEqual(await connection.dump(list, odd), { items: [1, 3, 5], interrupted: false });
  });

  it("rejects with an error that DONE carries", async (t) => {
    const { connection } = connect(t, () => multipart(all, { errno: 13 }));
    await assert.rejects(connection.dump(list, idOf), { code: "EACCES", what: "list things" });
  });

  it("rejects with an error instead of a list", async (t) => {
    const { connection } = connect(t, (request) => [refuse(request, 95)]);
    await assert.rejects(connection.dump(list, idOf), { code: "EOPNOTSUPP" });
  });

  it("is asked for again when it was interrupted", async (t) => {
    let interruptions = 2;
    const { kernel, connection } = connect(t, () => multipart(all, { interrupted: interruptions-- > 0 }));
    assert.deepEqual(await connection.dump(list, idOf), { items: [1, 2, 3, 4, 5], interrupted: false });
    assert.equal(kernel.requests.length, 3);
  });

  it("says so when it was interrupted four times", async (t) => {
    const { kernel, connection } = connect(t, () => multipart(all, { interrupted: true }));
    assert.deepEqual(await connection.dump(list, idOf), { items: [1, 2, 3, 4, 5], interrupted: true });
    assert.equal(kernel.requests.length, 4);
  });

  it("waits for the one before, as a socket can have but one", async (t) => {
    let running = 0;
    const { kernel, connection } = connect(t, (request) => {
      if (running > 0) return [refuse(request, 16)];
      running++;
      return multipart(all);
    });
    const first = connection.dump(list, (message) => {
      const id = idOf(message);
      if (id === 5) running--;
      return id;
    });
    const second = connection.dump(list, idOf);
    assert.deepEqual(await second, await first);
    assert.equal(kernel.requests.length, 2);
  });

  it("that was given up is still waited for by the next: the kernel is not done with it", async (t) => {
    const answers: (() => void)[] = [];
    const { kernel, connection } = connect(t, (request) => {
      answers.push(() => {
        for (const { type, flags = 0, payload } of multipart(all))
          kernel.deliver(frame({ type, flags, sequence: request.sequence, portId: request.portId }, payload));
      });
      return [];
    });
    const first = connection.dump(list, idOf);
    await turn();
    kernel.overrun();
    await assert.rejects(first, { code: "ENOBUFS" });
    const second = connection.dump(list, idOf);
    await turn();
    assert.equal(kernel.requests.length, 1);
    answers.shift()?.();
    await turn();
    assert.equal(kernel.requests.length, 2);
    answers.shift()?.();
    assert.deepEqual((await second).items, [1, 2, 3, 4, 5]);
  });

  it("fails at the deadline, and the next one need not wait for ever", async (t) => {
    let silent = true;
    const { connection } = connect(t, () => (silent ? [] : multipart(all)), { deadline: 5 });
    await assert.rejects(connection.dump(list, idOf), { code: "ETIMEDOUT" });
    silent = false;
    assert.deepEqual((await connection.dump(list, idOf)).items, [1, 2, 3, 4, 5]);
  });

  it("may last longer than the deadline as long as something comes", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const { kernel, connection } = connect(t, () => []);
    const outcome = connection.dump(list, idOf);
    await turn();
    const [request] = kernel.requests;
    assert.ok(request);
    for (const { type, flags = 0, payload } of multipart(all)) {
      t.mock.timers.tick(4_000);
      kernel.deliver(frame({ type, flags, sequence: request.sequence, portId: request.portId }, payload));
    }
    assert.deepEqual((await outcome).items, [1, 2, 3, 4, 5]);
  });
});

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

function connect(
  t: TestContext,
  answer?: (request: NetlinkMessage) => readonly Reply[],
  options: Partial<ConnectionOptions> = {},
) {
  const kernel = new FakeKernel(answer);
  const connection = NetlinkConnection.open({ protocol: 0, open: kernel.open, ...options });
  t.after(() => connection.close());
  return { kernel, connection };
}

function set(value: Parameters<typeof thing.encode>[0]) {
  return { what: "set thing", type: SET, body: body(thing, value) };
}

function reply(value: Parameters<typeof thing.encode>[0]): Reply {
  return { type: NEW, payload: thing.encode(value) };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
