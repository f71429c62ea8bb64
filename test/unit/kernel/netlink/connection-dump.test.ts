import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { NetlinkMessage } from "../../../../src/kernel/netlink/wire.ts";
import { frame } from "../../../lab/datagram.ts";
import { isDump, multipart, refuse } from "../../../lab/fake-kernel.ts";
import { connect, GET, reply, thing } from "./connect.ts";

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
});
