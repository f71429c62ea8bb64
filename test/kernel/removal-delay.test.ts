import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { waitForCarrierLoss } from "../lab/link.ts";
import { requires } from "../lab/requires.ts";
import { atOnce, serveHost, type TwoUplinks, withTwoUplinks } from "../lab/served-host.ts";

/** Longer than any test runs. */
const hourly = "[core]\nremoval-delay=3600\n";

describe("the removal delay", { skip: requires(), concurrency: 4 }, () => {
  const delayMs = 700;
  const delayed = `[core]\nremoval-delay=${delayMs / 1000}\n`;
  type Act = (served: TwoUplinks) => Promise<unknown>;
  const losses: { what: string; lose: Act; undo: Act }[] = [
    {
      what: "a vanished address",
      lose: ({ host }) => host.ip("addr del 10.0.1.2/24 dev eth1"),
      undo: ({ host }) => host.ip("addr add 10.0.1.2/24 dev eth1"),
    },
    {
      what: "a link that went down",
      lose: ({ host }) => host.ip("link set eth1 down"),
      undo: ({ host }) => host.ip("link set eth1 up"),
    },
    {
      what: "a lost carrier",
      lose: ({ cable, host }) => cable.cut().then(() => waitForCarrierLoss(host, "eth1")),
      undo: ({ cable }) => cable.restore(),
    },
    {
      what: "an address that became deprecated",
      lose: ({ host }) => host.ip("addr change 10.0.1.2/24 dev eth1 valid_lft 600 preferred_lft 0"),
      undo: ({ host }) => host.ip("addr change 10.0.1.2/24 dev eth1 valid_lft 600 preferred_lft 600"),
    },
  ];

  for (const { what, lose, undo } of losses) {
    it(`keeps the endpoint of ${what}, and no longer`, async (t) => {
      const served = await withTwoUplinks(t, delayed);
      const start = performance.now();
      await lose(served);
      await served.endpointsBecome(["10.0.2.2"]);
      const elapsed = performance.now() - start;
      assert.ok(elapsed >= delayMs, `it went after ${elapsed} ms`);
      assert.ok(elapsed < delayMs + 2000, `it went after ${elapsed} ms`);
    });

    it(`is void when ${what} is back before it is over: nothing happens`, async (t) => {
      const served = await withTwoUplinks(t, hourly);
      await served.nothingHappens(async () => {
        await lose(served);
        await served.settled();
        await undo(served);
      });
    });
  }

  it("begins anew with each loss", async (t) => {
    const served = await withTwoUplinks(t, delayed);
    await served.nothingHappens(async () => {
      for (const start = performance.now(); performance.now() - start < 2 * delayMs; ) {
        await served.host.ip("addr del 10.0.1.2/24 dev eth1");
        await served.settled();
        await served.host.ip("addr add 10.0.1.2/24 dev eth1");
        await served.settled();
      }
    });
  });

  it("does not hold back an addition", async (t) => {
    const served = await withTwoUplinks(t, hourly);
    await served.host.ip("addr del 10.0.1.2/24 dev eth1");
    await served.host.ip("addr add 10.0.1.7/24 dev eth1");
    await served.endpointsBecome(["10.0.1.2", "10.0.1.7", "10.0.2.2"]);
  });
});

describe("the last endpoint of a host", { skip: requires(), concurrency: 4 }, () => {
  it("stays while its link has no carrier or is down, until another address is usable", async (t) => {
    const served = await serveHost(t, { config: atOnce });
    const cable = await served.plug("eth1", "10.0.1.2/24");
    await served.endpointsBecome(["10.0.1.2"]);
    await served.nothingHappens(async () => {
      await cable.cut();
      await waitForCarrierLoss(served.host, "eth1");
      await served.settled();
      await served.host.ip("link set eth1 down");
    });
    await served.plug("eth2", "10.0.2.2/24");
    await served.endpointsBecome(["10.0.2.2"]);
  });

  it("goes when its address is taken away", async (t) => {
    const served = await serveHost(t, { config: atOnce });
    const cable = await served.plug("eth1", "10.0.1.2/24");
    await served.endpointsBecome(["10.0.1.2"]);
    await cable.cut();
    await waitForCarrierLoss(served.host, "eth1");
    await served.host.ip("addr del 10.0.1.2/24 dev eth1");
    await served.endpointsBecome([]);
  });

  it("is every one of them when all links lose their carrier at once", async (t) => {
    const delayMs = 300;
    const served = await withTwoUplinks(t, `[core]\nremoval-delay=${delayMs / 1000}\n`);
    await Promise.all([served.cable.cut(), served.otherCable.cut()]);
    await waitForCarrierLoss(served.host, "eth1");
    await waitForCarrierLoss(served.host, "eth2");
    const start = performance.now();
    await served.nothingHappens(async () => {
      while (performance.now() - start < 2 * delayMs) await served.settled();
    });
    await served.cable.restore();
    await served.endpointsBecome(["10.0.1.2"]);
  });
});
