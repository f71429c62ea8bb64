import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { emptyNetwork, type Network } from "../../../../src/control/network/network.ts";
import type { MptcpEvent, MptcpPm } from "../../../../src/kernel/mptcp-pm.ts";
import type { ConnectionOutline } from "../../../../src/kernel/sockets.ts";
import { turn, VirtualClock } from "../../../../src/path-managers/simulation/clock.ts";
import { SimulatedNetwork } from "../../../../src/path-managers/simulation/network.ts";
import { Recorder } from "../../../../src/path-managers/simulation/recorder.ts";
import { type Recording, readRecording } from "../../../../src/path-managers/simulation/recording.ts";

const closed = (token: number): MptcpEvent => ({ event: "closed", token });

function outline(token: number): ConnectionOutline {
  const place = { address: "10.0.0.1", port: 1 };
  const common = { socketFamily: 4, local: place, remote: place, state: "established" } as const;
  return { ...common, token, inode: 1, fallback: false, subflows: [] };
}

/** A recorder, and everything around it in the test's hands. */
function world(options: { readonly write?: (text: string) => Promise<void> | undefined } = {}) {
  const clock = new VirtualClock();
  const dumps: { resolve(outlines: ConnectionOutline[]): void; reject(error: Error): void }[] = [];
  const warnings: string[] = [];
  const failures: unknown[] = [];
  const writes: string[] = [];
  let handlers: Parameters<MptcpPm["events"]>[0] | undefined;
  let network: Network = emptyNetwork;
  const recorder = new Recorder({
    header: { time: "2026-11-25T19:00:00.000Z", kernel: "6.18" },
    clock,
    events: {
      events: (given) => {
        handlers = given;
        return {
          close: () => {
            handlers = undefined;
          },
        };
      },
    },
    sockets: { dumpOutlines: () => new Promise((resolve, reject) => dumps.push({ resolve, reject })) },
    network: () => network,
    write: (text) => {
      writes.push(text);
      return options.write?.(text);
    },
    warn: (message) => void warnings.push(message),
    onFailure: (error) => void failures.push(error),
  });
  return {
    ...{ clock, recorder, dumps, warnings, failures, writes },
    tell: (event: MptcpEvent) => handlers?.event(event),
    overrun: () => handlers?.overrun(),
    spoil: (message: string) => handlers?.error(new Error(message)),
    isListening: () => handlers !== undefined,
    setNetwork(now: Network) {
      network = now;
      recorder.networkChanged();
    },
    /** What a reader of the file would find now. */
    async file(): Promise<Recording> {
      // Once for promises, and once for what they have led to.
      await turn();
      await turn();
      return readRecording(writes.join("").match(/[^\n]+/g) ?? [], "file");
    },
  };
}

/** What the items are, in a word or two. */
async function story(of: ReturnType<typeof world>): Promise<string[]> {
  return (await of.file()).items.map((item) => {
    if ("event" in item)
      return "token" in item.event ? `${item.event.event} ${item.event.token}` : item.event.event;
    if ("connections" in item) return `connections ${item.connections.map(({ token }) => token)}`;
    return Object.keys(item)[1] ?? "";
  });
}

describe("a recorder", () => {
  it("writes the network, the connections, and what happens, in this order", async () => {
    const one = world();
    const started = one.recorder.start();
    one.tell(closed(1));
    assert.deepEqual(await story(one), ["network"], "what happens while sockets are read comes after them");
    one.dumps[0]?.resolve([outline(7)]);
    await started;
    one.tell(closed(2));
    one.recorder.close();
    assert.deepEqual(await story(one), ["network", "connections 7", "closed 1", "closed 2", "end"]);
    assert.equal((await one.file()).isWhole, true);
    assert.equal(one.isListening(), false);
    assert.deepEqual(one.warnings, []);
  });

  it("has written everything when the event loop turns, should it be killed", async () => {
    const one = world();
    const started = one.recorder.start();
    one.dumps[0]?.resolve([]);
    await started;
    for (const token of [1, 2, 3]) {
      one.tell(closed(token));
      assert.equal((await story(one)).at(-1), `closed ${token}`);
    }
    assert.equal((await one.file()).isWhole, false);
  });

  it("gives everything its time in milliseconds", async () => {
    const one = world();
    void one.recorder.start();
    one.dumps[0]?.resolve([]);
    await one.clock.advance(1234.5);
    one.tell(closed(1));
    await one.clock.advance(1);
    one.recorder.close();
    assert.deepEqual(
      (await one.file()).items.map(({ at }) => at),
      [0, 0, 1234.5, 1235.5],
    );
  });

  it("writes the network when path managers would see another one", async () => {
    const one = world();
    void one.recorder.start();
    one.dumps[0]?.resolve([]);
    await turn();
    const host = new SimulatedNetwork();
    host.plug("eth0", { addresses: ["10.0.0.1"] });
    one.setNetwork(host.network);
    const { addresses, ...rest } = host.network;
    one.setNetwork({ ...rest, addresses: addresses.map((address) => ({ ...address, validLifetime: 60 })) });
    one.recorder.networkChanged();
    assert.deepEqual(await story(one), ["network", "connections ", "network"]);
    host.addAddress("eth0", "10.0.0.2");
    one.setNetwork(host.network);
    const last = (await one.file()).items.at(-1);
    assert.ok(last && "network" in last);
    assert.deepEqual(
      last.network.addresses.map(({ address }) => address),
      ["10.0.0.1", "10.0.0.2"],
    );
  });

  it("writes that events were lost, and reads the sockets again", async () => {
    const one = world();
    void one.recorder.start();
    one.dumps[0]?.resolve([]);
    await turn();
    one.overrun();
    one.tell(closed(1));
    assert.deepEqual(await story(one), ["network", "connections ", "overrun"]);
    one.dumps[1]?.resolve([outline(8)]);
    assert.deepEqual(await story(one), ["network", "connections ", "overrun", "connections 8", "closed 1"]);
    one.spoil("attribute token: missing");
    one.dumps[2]?.resolve([]);
    assert.deepEqual((await story(one)).slice(5), ["fault", "connections "]);
    assert.deepEqual(one.warnings, [
      "events were lost: they came faster than they could be recorded",
      "attribute token: missing",
    ]);
  });

  it("reads the sockets once more if events were lost meanwhile", async () => {
    const one = world();
    void one.recorder.start();
    one.overrun();
    one.dumps[0]?.resolve([outline(1)]);
    await turn();
    one.dumps[1]?.resolve([outline(2)]);
    assert.deepEqual(await story(one), ["network", "connections 1", "overrun", "overrun", "connections 2"]);
  });

  it("keeps no more than it can hold while sockets are read: the rest counts as lost", async () => {
    const one = world();
    void one.recorder.start();
    const many = 60_000;
    for (let token = 0; token < many; token++) one.tell(closed(token));
    one.dumps[0]?.resolve([]);
    await turn();
    one.dumps[1]?.resolve([outline(5)]);
    const all = await story(one);
    assert.ok(all.length < many, `${all.length}`);
    assert.deepEqual(all.slice(-2), ["overrun", "connections 5"]);
    for (const text of one.writes) assert.ok(text.length < 100_000, "written in pieces");
  });

  it("tries again when the sockets cannot be read", async () => {
    const one = world();
    void one.recorder.start();
    one.dumps[0]?.reject(new Error("cannot list MPTCP connections: no"));
    await turn();
    one.tell(closed(1));
    await one.clock.advance(100);
    one.dumps[1]?.resolve([outline(3)]);
    assert.deepEqual(await story(one), ["network", "connections 3", "closed 1"]);
    assert.deepEqual(one.warnings, ["cannot list MPTCP connections: no; trying again"]);
  });

  it("ends when it cannot write, and says why", async () => {
    const full = new Error("no space left on device");
    const one = world({
      write: () => {
        throw full;
      },
    });
    void one.recorder.start();
    await turn();
    assert.deepEqual(one.failures, [full]);
    assert.equal(one.isListening(), false);
    one.recorder.close();
    await turn();
    assert.equal(one.failures.length, 1);
  });

  it("waits for who reads it, keeps little meanwhile, and makes up for the rest", async () => {
    const taken: (() => void)[] = [];
    const one = world({ write: () => new Promise((resolve) => taken.push(resolve)) });
    const started = one.recorder.start();
    one.dumps[0]?.resolve([]);
    await started;
    await turn();
    assert.equal(one.writes.length, 1);
    const many = 200_000;
    for (let token = 0; token < many; token++) one.tell(closed(token));
    assert.equal(one.writes.length, 1, "nobody has taken the first piece");
    taken.shift()?.();
    await turn();
    taken.shift()?.();
    await turn();
    one.dumps[1]?.resolve([outline(9)]);
    await turn();
    taken.shift()?.();
    const all = await story(one);
    assert.ok(all.length > 1000 && all.length < many, `${all.length}`);
    assert.deepEqual(all.slice(-3), ["network", "overrun", "connections 9"]);
    assert.deepEqual(one.warnings, ["events were lost: they came faster than they could be written"]);
    // Whoever waits at the end gets what there is.
    one.tell(closed(1));
    one.recorder.close();
    assert.deepEqual((await story(one)).slice(-2), ["closed 1", "end"]);
  });

  it("may be ended before it has begun", async () => {
    const one = world();
    void one.recorder.start();
    one.tell(closed(1));
    one.overrun();
    one.recorder.close();
    one.dumps[0]?.resolve([outline(3)]);
    assert.deepEqual(
      (await story(one)).filter((word) => word !== "overrun"),
      ["network", "closed 1", "end"],
    );
  });

  it("ends with all that was told before, as it comes from the kernel", async () => {
    const one = world();
    let left = 5;
    const tell = () => {
      one.tell(closed(left));
      if (--left > 0) setImmediate(tell);
    };
    setImmediate(tell);
    await one.recorder.finish();
    assert.equal(one.isListening(), false);
    const words = ["closed 5", "closed 4", "closed 3", "closed 2", "closed 1", "end"];
    assert.deepEqual(await story(one), ["network", ...words]);
  });

  it("ends though the kernel goes on and on", async () => {
    const one = world();
    const tell = () => {
      one.clock.block(100);
      one.tell(closed(1));
      if (one.isListening()) setImmediate(tell);
    };
    setImmediate(tell);
    await one.recorder.finish();
    assert.equal(one.isListening(), false);
  });
});
