import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { waitForCarrierLoss } from "../../src/lab/kit/link.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { slowness } from "../../src/lab/kit/wait.ts";
import { atOnce, hourly, Machine, soon } from "../lab/machine.ts";
import { ctl } from "../lab/mptcpctl.ts";

describe("the removal delay", { skip: requires(), concurrency: 4 }, () => {
  const delayMs = 700;
  type Act = (machine: Machine) => Promise<unknown>;
  const losses: { what: string; lose: Act; undo: Act }[] = [
    {
      what: "a vanished address",
      lose: (machine) => machine.ip("addr del 10.0.1.2/24 dev eth1"),
      undo: (machine) => machine.ip("addr add 10.0.1.2/24 dev eth1"),
    },
    {
      what: "a link that went down",
      lose: (machine) => machine.ip("link set eth1 down"),
      undo: (machine) => machine.ip("link set eth1 up"),
    },
    {
      what: "a lost carrier",
      lose: (machine) => cut(machine, "eth1"),
      undo: (machine) => machine.cable("eth1").restore(),
    },
    {
      what: "an address that became deprecated",
      lose: (machine) => machine.ip("addr change 10.0.1.2/24 dev eth1 valid_lft 600 preferred_lft 0"),
      undo: (machine) => machine.ip("addr change 10.0.1.2/24 dev eth1 valid_lft 600 preferred_lft 600"),
    },
  ];

  for (const { what, lose, undo } of losses) {
    it(`keeps the endpoint of ${what}, and no longer`, async (t) => {
      const machine = await Machine.withTwoUplinks(t, delayed(delayMs));
      const start = performance.now();
      await lose(machine);
      // Until the deadline, that is: what passes unnoticed is mended after half a minute.
      await machine.hasEndpointsAt(["10.0.2.2"]);
      const elapsed = performance.now() - start;
      assert.ok(elapsed >= delayMs, `it went after ${elapsed} ms`);
    });

    it(`is void when ${what} is back before it is over: nothing happens`, async (t) => {
      const machine = await Machine.withTwoUplinks(t, hourly);
      await machine.nothingHappens(async () => {
        await lose(machine);
        await machine.settled();
        await undo(machine);
      });
    });
  }

  it("begins anew with each loss", async (t) => {
    const machine = await Machine.withTwoUplinks(t, delayed(noticeable));
    await machine.nothingHappens(async () => {
      for (const start = performance.now(); performance.now() - start < 1.5 * noticeable; ) {
        await machine.ip("addr del 10.0.1.2/24 dev eth1");
        await machine.settled();
        await machine.ip("addr add 10.0.1.2/24 dev eth1");
        await machine.settled();
      }
    });
  });

  it("does not hold back an addition", async (t) => {
    const machine = await Machine.withTwoUplinks(t, hourly);
    await machine.ip("addr del 10.0.1.2/24 dev eth1");
    await machine.ip("addr add 10.0.1.7/24 dev eth1");
    await machine.hasEndpointsAt(["10.0.1.2", "10.0.1.7", "10.0.2.2"]);
  });
});

describe("the last endpoint of a host", { skip: requires(), concurrency: 4 }, () => {
  it("stays while its link has no carrier or is down, until another address is usable", async (t) => {
    const machine = await Machine.started(t, { config: soon });
    await machine.plug("eth1", "10.0.1.2/24");
    await machine.hasEndpointsAt(["10.0.1.2"]);
    await machine.nothingHappens(async () => {
      await cut(machine, "eth1");
      await machine.settled();
      await machine.ip("link set eth1 down");
    });
    await machine.plug("eth2", "10.0.2.2/24");
    await machine.hasEndpointsAt(["10.0.2.2"]);
  });

  it("goes at once with removal-delay=0, as explain says, and is back with its link", async (t) => {
    const machine = await Machine.started(t, { config: atOnce });
    await machine.plug("eth1", "10.0.1.2/24");
    await machine.hasEndpointsAt(["10.0.1.2"]);
    await machine.ip("link set eth1 down");
    await machine.hasEndpointsAt([]);
    const where = `--config ${machine.daemon.configFile} --runtime-dir ${machine.runtimeDirectory}`;
    assert.match(
      await ctl(machine.host, `explain 10.0.1.2 ${where}`),
      /^10\.0\.1\.2 .* unusable +eth1 is down$/m,
    );
    await machine.ip("link set eth1 up");
    await machine.hasEndpointsAt(["10.0.1.2"]);
  });

  it("goes when its address is taken away", async (t) => {
    const machine = await Machine.started(t, { config: soon });
    await machine.plug("eth1", "10.0.1.2/24");
    await machine.hasEndpointsAt(["10.0.1.2"]);
    await cut(machine, "eth1");
    await machine.ip("addr del 10.0.1.2/24 dev eth1");
    await machine.hasEndpointsAt([]);
  });

  it("is every one of them when all links lose their carrier at once", async (t) => {
    const machine = await Machine.withTwoUplinks(t, delayed(noticeable));
    await machine.nothingHappens(async () => {
      await Promise.all(["eth1", "eth2"].map((device) => cut(machine, device)));
      const start = performance.now();
      while (performance.now() - start < 1.5 * noticeable) await machine.settled();
    });
    await machine.cable("eth1").restore();
    await machine.hasEndpointsAt(["10.0.1.2"]);
  });
});

/** So many milliseconds that an action and what mptcpd makes of it take less, also on a busy machine. */
const noticeable = 3000 * slowness;

function delayed(milliseconds: number): string {
  return `[core]\nremoval-delay=${milliseconds / 1000}\n`;
}

async function cut(machine: Machine, device: string): Promise<void> {
  await machine.cable(device).cut();
  await waitForCarrierLoss(machine.host, device);
}
