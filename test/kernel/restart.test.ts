import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { requires } from "../../src/lab/kit/requires.ts";
import { rounds } from "../lab/campaign.ts";
import { addForeign, first, foreign, second, twoAddresses } from "../lab/examples.ts";
import { Machine } from "../lab/machine.ts";

const options = { skip: requires(), concurrency: 4 };

describe("a restart", options, () => {
  it("takes what it made before for its own, and changes nothing about it", async (t) => {
    const machine = await Machine.create(t, twoAddresses);
    await machine.start();
    const before = await machine.host.endpoints();
    await machine.restart();
    assert.deepEqual(await machine.host.endpoints(), before);
    assert.deepEqual(machine.daemon.lines, ["notice: ready"]);
    await machine.ip("addr del 10.0.0.2/24 dev eth0");
    await machine.has(first);
  });

  it("deletes what became stale meanwhile, and adds what came", async (t) => {
    const machine = await Machine.create(t, twoAddresses);
    await machine.start();
    await machine.stop();
    await machine.ip("addr del 10.0.0.2/24 dev eth0");
    await machine.ip("addr add 10.0.0.3/24 dev eth0");
    await machine.start();
    await machine.has(first, "10.0.0.3 eth0 subflow");
  });

  it("applies changed flags", async (t) => {
    const machine = await Machine.create(t, twoAddresses);
    await machine.start();
    await machine.restart({ args: ["--addr-flags=subflow,backup"] });
    await machine.has("10.0.0.1 eth0 subflow,backup", "10.0.0.2 eth0 subflow,backup");
  });

  it("without its ledger takes nothing for its own", async (t) => {
    const machine = await Machine.create(t);
    await machine.start();
    await machine.stop();
    rmSync(machine.runtimeDirectory, { recursive: true });
    await machine.start();
    await machine.ip("addr del 10.0.0.1/24 dev eth0");
    await machine.keeps(first);
  });

  it("with a ledger that makes no sense warns, and takes nothing for its own", async (t) => {
    const machine = await Machine.create(t);
    await machine.start();
    await machine.stop();
    await machine.host.run("sh", "-c", `echo garbage | tee ${machine.runtimeDirectory}/*.ledger.json`);
    await machine.start();
    assert.match(machine.daemon.output, /warning: .*ledger\.json cannot be used/);
    await machine.ip("addr del 10.0.0.1/24 dev eth0");
    await machine.keeps(first);
  });
});

describe("SIGKILL loses nothing", options, () => {
  /** What a start after the crash finds is ours goes when its address goes; the foreign endpoint stays. */
  const allIsOurs = async (machine: Machine, ...expected: readonly string[]) => {
    await machine.start();
    await machine.has(...expected, foreign);
    await machine.ip("addr flush dev eth0");
    await machine.keeps(foreign);
  };

  it("at any moment of the start", async (t) => {
    const machine = await Machine.create(t, twoAddresses);
    await machine.ip(addForeign);
    const start = performance.now();
    await machine.start();
    const whole = performance.now() - start;
    await machine.daemon.kill();
    await machine.ip("mptcp endpoint flush");
    await machine.ip(addForeign);
    for (let share = 0.5; share < 1.2; share += 0.7 / rounds(5, 20)) {
      const daemon = machine.launch();
      await delay(whole * share);
      await daemon.kill();
    }
    await allIsOurs(machine, first, second);
  });

  it("while endpoints are being added", async (t) => {
    const machine = await Machine.create(t);
    await machine.ip(addForeign);
    const expected = [first];
    for (let i = 2; i <= 7; i++) {
      await machine.start();
      await machine.ip(`addr add 10.0.0.${i}/24 dev eth0`);
      if (i % 2 === 0) await machine.daemon.waitForLine(new RegExp(`10\\.0\\.0\\.${i} .*added`));
      await machine.daemon.kill();
      expected.push(`10.0.0.${i} eth0 subflow`);
    }
    await allIsOurs(machine, ...expected);
  });

  it("while endpoints are being deleted", async (t) => {
    const addresses = Array.from({ length: 7 }, (_, i) => `10.0.${i}.1/24`);
    const machine = await Machine.create(t, { eth0: addresses });
    await machine.ip(addForeign);
    for (const [i, address] of addresses.slice(1).entries()) {
      await machine.start();
      await machine.ip(`addr del ${address} dev eth0`);
      if (i % 2 === 0) await machine.daemon.waitForLine(/deleted/);
      await machine.daemon.kill();
    }
    await allIsOurs(machine, first);
  });
});
