import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import fc from "fast-check";
import { type Clock, systemClock } from "../../../../src/base/clock.ts";
import { createLogger, type Entry } from "../../../../src/base/log/log.ts";
import { NetworkMonitor } from "../../../../src/control/network/monitor.ts";
import { waitFor } from "../../../../src/lab/kit/wait.ts";
import { VirtualClock } from "../../../../src/path-managers/simulation/clock.ts";
import { FakeKernel } from "../../../lab/fake-kernel.ts";
import { FakeNetwork } from "./fake-network.ts";

type Watch = { readonly monitor: NetworkMonitor; readonly log: Entry[]; changes: number };

async function watch(
  fake: FakeNetwork,
  test?: TestContext,
  { clock = systemClock, signal }: { readonly clock?: Clock; readonly signal?: AbortSignal } = {},
): Promise<Watch> {
  const log: Entry[] = [];
  const logger = createLogger({
    sink: { write: (entry) => log.push(entry), close: () => undefined },
    debug: false,
  });
  const state = { log, changes: 0 };
  const onChange = (): void => {
    state.changes++;
  };
  const { open } = fake.kernel;
  const monitor = await NetworkMonitor.start({ ...{ open, clock, signal, onChange }, log: logger });
  test?.after(() => monitor.close());
  return Object.assign(state, { monitor });
}

function withLink(): FakeNetwork {
  const fake = new FakeNetwork();
  fake.setLink({ index: 2, name: "eth0", up: true });
  return fake;
}

/** What the monitor knows, as text; and what the fake kernel has. */
function seen({ monitor: { network } }: Watch): string {
  const links = [...network.links.values()].map(
    ({ index, name, flags }) => `${index} ${name} ${flags.has("up")}`,
  );
  const addresses = network.addresses.map(({ address, ifIndex }) => `${address} ${ifIndex}`);
  const routes = network.defaultRoutes.map(({ hops }) => `via ${hops[0]?.ifIndex}`);
  const egress = network.egress.map(({ ifIndex }) => `out ${ifIndex}`);
  return [...links, ...addresses, ...routes, ...egress].sort().join(", ");
}

function truth(fake: FakeNetwork): string {
  const links = [...fake.links.values()].map(({ index, name, up }) => `${index} ${name} ${up}`);
  const addresses = [...fake.addresses].map(([address, ifIndex]) => `${address} ${ifIndex}`);
  const routes = fake.gateway === 0 ? [] : [`via ${fake.gateway}`, `out ${fake.gateway}`];
  return [...links, ...addresses, ...routes].sort().join(", ");
}

describe("the network monitor", () => {
  it("knows what was there before it", async (t) => {
    const fake = withLink();
    fake.addAddress("10.0.0.1", 2);
    fake.gateway = 2;
    assert.equal(seen(await watch(fake, t)), "10.0.0.1 2, 2 eth0 true, out 2, via 2");
  });

  it("follows notifications, and announces a batch once", async (t) => {
    const fake = withLink();
    const state = await watch(fake, t);
    fake.kernel.batch(() => {
      for (let host = 1; host < 50; host++) fake.addAddress(`10.0.0.${host}`, 2);
    });
    assert.equal(seen(state), truth(fake));
    await state.monitor.settled();
    assert.equal(state.changes, 1);
  });

  it("asks for the routes when a link goes down, since the kernel does not tell of them", async (t) => {
    const fake = withLink();
    fake.gateway = 2;
    const state = await watch(fake, t);
    fake.setLink({ index: 2, name: "eth0", up: false });
    await state.monitor.settled();
    assert.deepEqual(state.monitor.network.defaultRoutes, []);
    assert.deepEqual(state.monitor.network.egress, []);
  });

  it("reads everything again after an overrun, and says so", async (t) => {
    const fake = withLink();
    const state = await watch(fake, t);
    fake.deaf = true;
    fake.addAddress("10.0.0.1", 2);
    fake.setLink({ index: 3, name: "eth1", up: true });
    fake.kernel.overrun();
    await state.monitor.settled();
    assert.equal(seen(state), truth(fake));
    assert.match(state.log[0]?.message ?? "", /dropped notifications/);
  });

  it("reads everything again when an address is of a link that it does not know", async (t) => {
    const fake = withLink();
    const state = await watch(fake, t);
    fake.deaf = true;
    fake.setLink({ index: 3, name: "eth1", up: true });
    fake.deaf = false;
    fake.addAddress("10.0.1.1", 3);
    await state.monitor.settled();
    assert.equal(seen(state), truth(fake));
  });

  it("loses no change that happens while it reads", async (t) => {
    const fake = withLink();
    fake.addAddress("10.0.0.1", 2);
    let changes: (() => void) | undefined = () => {
      fake.deleteAddress("10.0.0.1");
      fake.addAddress("10.0.0.2", 2);
    };
    fake.onAddressDump = () => {
      // The list was taken before, the notifications come before its answer.
      queueMicrotask(() => changes?.());
      queueMicrotask(() => {
        changes = undefined;
      });
    };
    const state = await watch(fake, t);
    assert.equal(seen(state), truth(fake));
  });

  it("loses no change that happens while it starts, however long that takes", async () => {
    const step = fc.record({ host: fc.nat(1), add: fc.boolean(), turns: fc.nat(4) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const fake = withLink();
        const starting = watch(fake);
        for (const { host, add, turns } of steps) {
          if (add) fake.addAddress(`10.0.0.${host}`, 2);
          else fake.deleteAddress(`10.0.0.${host}`);
          for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
        }
        const state = await starting;
        await state.monitor.settled();
        assert.equal(seen(state), truth(fake));
        state.monitor.close();
      }),
      { numRuns: 300 },
    );
  });

  it("reads once more when it is quiet, if every listing was interrupted", async (t) => {
    const fake = withLink();
    fake.interruptions = 8;
    const state = await watch(fake, t);
    fake.deaf = true;
    fake.addAddress("10.0.0.1", 2);
    await waitFor("the address", () => seen(state) === truth(fake));
  });

  it("tries again when reading fails", async (t) => {
    const fake = withLink();
    const state = await watch(fake, t);
    fake.onAddressDump = () => {
      fake.onAddressDump = () => undefined;
      throw new Error("this once");
    };
    fake.deaf = true;
    fake.addAddress("10.0.0.1", 2);
    state.monitor.resync();
    await waitFor("the address", () => seen(state) === truth(fake));
  });

  it("starts when the kernel answers, however long that takes, and says what it waits for", async (t) => {
    const fake = withLink();
    fake.addAddress("10.0.0.1", 2);
    let refusals = 20;
    fake.onAddressDump = () => {
      if (refusals-- > 0) throw Object.assign(new Error("busy"), { code: "EAGAIN" });
    };
    const clock = new VirtualClock();
    const started = watch(fake, t, { clock });
    // Each attempt takes several turns of the event loop.
    for (let second = 0; second < 200; second++) await clock.advance(1000);
    const state = await started;
    assert.equal(seen(state), truth(fake));
    assert.equal(state.log.length, 21);
    assert.match(state.log[0]?.message ?? "", /busy; waiting for the kernel, the next attempt is in 100 ms$/);
    assert.match(state.log[20]?.message ?? "", /the kernel answers again/);
  });

  it("gives up a request that the kernel does not answer by the clock that it was given", async () => {
    const silent = new FakeKernel();
    const clock = new VirtualClock();
    const lines: string[] = [];
    const sink = { write: ({ message }: Entry) => lines.push(message), close: () => undefined };
    const abort = new AbortController();
    const started = NetworkMonitor.start({
      ...{ open: silent.open, clock, signal: abort.signal, onChange: () => undefined },
      log: createLogger({ sink, debug: false }),
    });
    await clock.advance(10_000);
    abort.abort(new Error("enough"));
    await assert.rejects(started, /enough/);
    assert.match(lines[0] ?? "", /no answer.*; waiting for the kernel, the next attempt is in 100 ms$/);
  });

  it("can be told to start no longer, and leaves nothing open", async () => {
    const fake = withLink();
    fake.onAddressDump = () => {
      throw Object.assign(new Error("busy"), { code: "EAGAIN" });
    };
    const abort = new AbortController();
    const started = watch(fake, undefined, { clock: new VirtualClock(), signal: abort.signal });
    abort.abort(new Error("enough"));
    await assert.rejects(started, /enough/);
    assert.equal(fake.kernel.socketCount, 0);
  });

  it("leaves nothing open when it cannot start", async () => {
    const fake = withLink();
    fake.onAddressDump = () => {
      throw new Error("never");
    };
    await assert.rejects(watch(fake));
    assert.equal(fake.kernel.socketCount, 0);
  });

  it("ends with the truth, whatever happened, whatever was lost", async () => {
    const change = fc.oneof(
      fc.record({
        kind: fc.constant("link" as const),
        index: fc.integer({ min: 2, max: 4 }),
        up: fc.boolean(),
      }),
      fc.record({ kind: fc.constant("unlink" as const), index: fc.integer({ min: 2, max: 4 }) }),
      fc.record({
        kind: fc.constant("add" as const),
        host: fc.nat(5),
        index: fc.integer({ min: 2, max: 4 }),
      }),
      fc.record({ kind: fc.constant("delete" as const), host: fc.nat(5) }),
      fc.record({ kind: fc.constant("gateway" as const), index: fc.integer({ min: 2, max: 4 }) }),
      fc.record({ kind: fc.constant("lose" as const), lost: fc.boolean() }),
      fc.record({ kind: fc.constant("wait" as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 40 }), async (changes) => {
        const fake = withLink();
        const state = await watch(fake);
        for (const one of changes) {
          if (one.kind === "link")
            fake.setLink({ index: one.index, name: `eth${one.index - 2}`, up: one.up });
          else if (one.kind === "unlink") fake.deleteLink(one.index);
          else if (one.kind === "add") fake.addAddress(`10.0.0.${one.host}`, one.index);
          else if (one.kind === "delete") fake.deleteAddress(`10.0.0.${one.host}`);
          else if (one.kind === "gateway" && fake.links.get(one.index)?.up) fake.setGateway(one.index);
          else if (one.kind === "lose") {
            if (fake.deaf && !one.lost) fake.kernel.overrun();
            fake.deaf = one.lost;
          } else if (one.kind === "wait") await state.monitor.settled();
        }
        if (fake.deaf) fake.kernel.overrun();
        await state.monitor.settled();
        assert.equal(seen(state), truth(fake));
        state.monitor.close();
      }),
      { numRuns: 200 },
    );
  });
});
