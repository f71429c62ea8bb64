import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { SystemError } from "../../../src/kernel/netlink/addon.ts";
import { waitFor, within } from "../../../src/lab/kit/wait.ts";
import { bytesOf } from "../../lab/datagram.ts";
import { collectGarbage, openSocket } from "../../lab/netlink-socket.ts";

const NETLINK_GENERIC = 16;
const RTM_GETLINK = 18;

describe("NetlinkSocket", () => {
  it("is bound to a port of its own", (t) => {
    const first = openSocket(t);
    const second = openSocket(t);
    assert.ok(first.portId > 0);
    assert.notEqual(first.portId, second.portId);
  });

  it("gets the kernel's answers, sent from either thread", async (t) => {
    const answers: number[] = [];
    const socket = openSocket(t, {
      protocol: NETLINK_GENERIC,
      onReceive: (input, senderPort, groups) => {
        assert.equal(senderPort, 0);
        assert.equal(groups, 0);
        answers.push(sequence(bytesOf(input)));
      },
    });
    socket.sendNow(noop(1));
    await waitFor("the first answer", () => answers.length === 1);
    await socket.send(noop(2));
    await waitFor("the second answer", () => answers.length === 2);
    assert.deepEqual(answers, [1, 2]);
  });

  it("sends in the order of the calls, each message as it was at its call", async (t) => {
    const answers: number[] = [];
    const socket = openSocket(t, { onReceive: (input) => answers.push(sequence(bytesOf(input))) });
    const expected = Array.from({ length: 200 }, (_, i) => i + 1);
    const message = noop(0);
    const sends = expected.map((number) => {
      message.writeUInt32LE(number, 8);
      return socket.send(message);
    });
    await Promise.all(sends);
    await waitFor("all answers", () => answers.length === expected.length);
    assert.deepEqual(answers, expected);
  });

  it("says when it has given all datagrams that were there at once", async (t) => {
    const order: (number | "end")[] = [];
    const socket = openSocket(t, {
      onReceive: (input) => order.push(sequence(bytesOf(input))),
      onBatchEnd: () => order.push("end"),
    });
    socket.sendNow(noop(1));
    socket.sendNow(noop(2));
    await waitFor("the end of the batch", () => order.includes("end"));
    assert.deepEqual(order, [1, 2, "end"]);
  });

  it("receives at once, where it is asked to, what the kernel has answered", async (t) => {
    const order: (number | "end")[] = [];
    const socket = openSocket(t, {
      onReceive: (input) => order.push(sequence(bytesOf(input))),
      onBatchEnd: () => order.push("end"),
    });
    socket.receiveNow();
    socket.sendNow(noop(1));
    socket.sendNow(noop(2));
    socket.receiveNow();
    assert.deepEqual(order, [1, 2, "end"]);
    socket.close();
    socket.receiveNow();
  });

  it("receives nothing in the middle of a batch, whose memory it would overwrite", async (t) => {
    const order: string[] = [];
    const other = openSocket(t, { onReceive: (input) => order.push(`other ${sequence(bytesOf(input))}`) });
    const socket = openSocket(t, {
      onReceive: (input) => {
        other.sendNow(noop(7));
        other.receiveNow();
        order.push(`own ${sequence(bytesOf(input))}`);
      },
      onBatchEnd: () => {
        order.push("end");
        other.receiveNow();
      },
    });
    socket.sendNow(noop(1));
    socket.sendNow(noop(2));
    await waitFor("all answers", () => order.length === 5);
    assert.deepEqual(order, ["own 1", "own 2", "end", "other 7", "other 7"]);
  });

  it("receives a whole dump, whatever its size", async (t) => {
    let done = false;
    let bytes = 0;
    const socket = openSocket(t, {
      onReceive: (input) => {
        bytes += input.length;
        const NLMSG_DONE = 3;
        done ||= input.view.getUint16(4, true) === NLMSG_DONE;
      },
    });
    const dump = Buffer.alloc(32);
    dump.writeUInt32LE(dump.length, 0);
    dump.writeUInt16LE(RTM_GETLINK, 4);
    dump.writeUInt16LE(0x301, 6);
    socket.sendNow(dump);
    await waitFor("the end of the dump", () => done);
    assert.ok(bytes > 500);
  });

  it("drops what the filter rejects", async (t) => {
    const answers: number[] = [];
    const filter = Buffer.from(new Uint16Array([0x06, 0, 0, 0]).buffer); // BPF_RET|BPF_K 0: drop
    const deaf = openSocket(t, { filter, onReceive: () => answers.push(1) });
    const hearing = openSocket(t, { onReceive: () => answers.push(2) });
    deaf.sendNow(noop(1));
    hearing.sendNow(noop(1));
    await waitFor("the answer to the other socket", () => answers.length > 0);
    assert.deepEqual(answers, [2]);
    assert.throws(() => hearing.attachFilter(new Uint8Array(7)), { code: "EINVAL" });
  });

  it("reports system errors with their code", (t) => {
    assert.throws(() => openSocket(t, { protocol: 4095 }), {
      name: "SystemError",
      code: "EPROTONOSUPPORT",
      message: /open netlink socket \(protocol 4095\)/,
    });
    const socket = openSocket(t);
    assert.throws(() => socket.joinGroup(1 << 30), { code: "EINVAL" });
  });

  it("closes once, refuses everything afterwards, and drops what arrives", async () => {
    let received = 0;
    const socket = openSocket(undefined, { onReceive: () => received++ });
    socket.sendNow(noop(1));
    socket.close();
    socket.close();
    socket.ref();
    assert.throws(() => socket.sendNow(noop(2)), { code: "EBADF" });
    assert.throws(() => socket.joinGroup(1), { code: "EBADF" });
    await assert.rejects(socket.send(noop(3)), { code: "EBADF" });
    await turn();
    assert.equal(received, 0);
  });

  it("can be closed by its own callback, which is then called no more", async () => {
    let received = 0;
    const socket = openSocket(undefined, {
      onReceive: () => {
        received++;
        socket.close();
      },
    });
    for (let i = 0; i < 40; i++) socket.sendNow(noop(i));
    await waitFor("an answer", () => received > 0);
    await turn();
    assert.equal(received, 1);
  });

  it("settles every send that is pending when it is closed, and then gives its descriptor back", async () => {
    const before = descriptors();
    for (let round = 0; round < 50; round++) {
      const socket = openSocket();
      const sends = Array.from({ length: 10 }, (_, i) => socket.send(noop(i)));
      socket.close();
      const [first, ...rest] = await within("all sends", Promise.allSettled(sends));
      assert.equal(first?.status, "fulfilled");
      for (const send of rest) {
        assert.ok(send.status === "rejected" && send.reason instanceof SystemError);
        assert.equal(send.reason.code, "EBADF");
      }
    }
    assert.equal(descriptors(), before);
  });

  it("goes on after an error in a callback, which is an uncaught exception", async () => {
    const worker = inWorker(`
      let received = 0;
      process.on("uncaughtException", (error) => parentPort.postMessage(error.message));
      const socket = open(() => {
        received++;
        if (received <= 2) throw new Error("error " + received);
        parentPort.postMessage("received " + received);
        socket.close();
      });
      for (let i = 0; i < 3; i++) socket.sendNow(noop);
    `);
    const messages: unknown[] = [];
    worker.on("message", (message) => messages.push(message));
    await within("the worker's end", exitOf(worker));
    assert.deepEqual(messages.toSorted(), ["error 1", "error 2", "received 3"]);
  });

  it("keeps the process running until it is closed, unless unref was called", async () => {
    await within("the end of a process with an unref'd socket", runScript("open(() => {}).unref();"));
    const closing =
      "const s = open(() => { s.close(); console.log('closed'); }); s.unref(); s.ref(); s.sendNow(noop);";
    assert.equal(await within("the end of a process that closes", runScript(closing)), "closed\n");
  });

  it("leaks neither descriptors nor memory in 10,000 opens and closes", async () => {
    await openAndClose(10_000);
    const before = descriptors();
    // The least growth of three rounds: a leak grows in each, V8's own memory only now and then.
    const growths: number[] = [];
    for (let round = 0; round < 3; round++) {
      const memory = await settledMemory();
      await openAndClose(10_000);
      growths.push((await settledMemory()) - memory);
    }
    assert.equal(descriptors(), before);
    // AddressSanitizer holds freed memory back on purpose; its own leak check does this test's work.
    if ("ASAN_OPTIONS" in process.env) return;
    assert.ok(Math.min(...growths) < 1 << 20, `grew by ${growths} bytes`);
  });

  it("gives everything back when its worker is terminated", async () => {
    const stuck = `
      for (let i = 0; i < 20; i++) {
        const socket = open(() => {});
        for (let j = 0; j < 5; j++) void socket.send(noop);
      }
      parentPort.postMessage("open");
      setInterval(() => {}, 1000);
    `;
    const cycle = async () => {
      const worker = inWorker(stuck);
      await within("the worker's sockets", new Promise((resolve) => worker.once("message", resolve)));
      await within("its end", worker.terminate());
    };
    await cycle();
    const before = descriptors();
    for (let i = 0; i < 5; i++) await cycle();
    assert.equal(descriptors(), before);
  });

  it("gives everything back when its worker ends within a callback", async () => {
    const before = descriptors();
    const worker = inWorker("open(() => process.exit(7)).sendNow(noop);");
    assert.equal(await within("its end", exitOf(worker)), 7);
    assert.equal(descriptors(), before);
  });
});

describe("the addon", () => {
  it("says what to do where it was not built", async () => {
    const env = { ...process.env, MPTCPD_ADDON: "/nonexistent/addon.node" };
    await assert.rejects(runScript("open(() => {});", env), /nonexistent.*npm run build/s);
  });
});

/** NLMSG_NOOP that asks for an ack: every netlink protocol answers it, at once and to anybody. */
function noop(number: number): Buffer {
  const message = Buffer.alloc(16);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(1, 4);
  message.writeUInt16LE(5, 6); // NLM_F_REQUEST | NLM_F_ACK
  message.writeUInt32LE(number, 8);
  return message;
}

function view(data: Uint8Array): DataView {
  return new DataView(data.buffer, data.byteOffset, data.length);
}

function sequence(data: Uint8Array): number {
  return view(data).getUint32(8, true);
}

async function openAndClose(times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    openSocket().close();
    if (i % 100 === 0) await turn();
  }
}

/** Bytes in use once the garbage is gone. */
async function settledMemory(): Promise<number> {
  await collectGarbage();
  return process.memoryUsage.rss();
}

function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** What scripts in workers and in other processes begin with. */
const prelude = `
  const { NetlinkSocket } = await import(${JSON.stringify(new URL("../../../src/kernel/netlink/socket.js", import.meta.url))});
  const fail = (error) => { throw error ?? new Error("overrun"); };
  const open = (onReceive) => NetlinkSocket.open({ protocol: 0, onReceive, onOverrun: fail, onError: fail });
  const noop = Uint8Array.from([${[...noop(1)]}]);
`;

function inWorker(script: string): Worker {
  const source = `import { parentPort } from "node:worker_threads"; ${prelude} ${script}`;
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`));
}

function exitOf(worker: Worker): Promise<number> {
  return new Promise((resolve, reject) => worker.once("exit", resolve).once("error", reject));
}

async function runScript(script: string, env = process.env): Promise<string> {
  const args = ["--input-type=module", "--eval", prelude + script];
  return (await promisify(execFile)(process.execPath, args, { env })).stdout;
}
