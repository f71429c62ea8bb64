import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { atOnce, Machine, program } from "../lab/machine.ts";
import { listenForNotifications } from "../lab/notify-socket.ts";
import { requires } from "../lab/requires.ts";

const twoAddresses = { eth0: ["10.0.0.1/24", "10.0.0.2/24"] };
const first = "10.0.0.1 eth0 subflow";
const second = "10.0.0.2 eth0 subflow";
const foreign = "192.168.7.7 - signal";
const addForeign = "mptcp endpoint add 192.168.7.7 id 200 signal";
const removeAtStop = `${atOnce}on-stop=remove\n`;

/** Many of these wait more than they compute; the first one waits for half a minute. */
const options = { skip: requires(), concurrency: 4 };

describe("the life of mptcpd", options, () => {
  it("what others do is noticed within 30 seconds also when nothing else happens", async (t) => {
    const machine = await Machine.create(t);
    await machine.start();
    await machine.ip("mptcp endpoint flush");
    await machine.host.sysctl("net.mptcp.enabled", 0);
    const soon = { deadlineMs: 31_000 };
    await machine.daemon.waitForLine(/^warning: net\.mptcp\.enabled was switched off/, soon);
    await machine.has(first);
  });

  describe("start and stop", () => {
    it("is ready when the endpoints are there", async (t) => {
      const machine = await Machine.create(t, twoAddresses);
      await machine.start();
      assert.deepEqual(await machine.show(), [first, second]);
    });

    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      it(`${signal} ends it with 0, and the endpoints and limits stay`, async (t) => {
        const machine = await Machine.create(t);
        const daemon = await machine.start();
        daemon.signal(signal);
        assert.deepEqual(await daemon.exited, { code: 0, signal: null });
        assert.deepEqual(await machine.show(), [first]);
        assert.deepEqual(await machine.host.limits(), { subflows: 3, addAddrAccepted: 3 });
      });
    }

    it("SIGUSR1, SIGUSR2 and SIGPIPE do not end it", async (t) => {
      const machine = await Machine.create(t);
      const daemon = await machine.start();
      for (const signal of ["SIGUSR1", "SIGUSR2", "SIGPIPE"] as const) daemon.signal(signal);
      await machine.keeps(first);
      assert.equal(daemon.exit, undefined);
    });

    it("on-stop=remove takes our endpoints away, and no others", async (t) => {
      const machine = await Machine.create(t, twoAddresses);
      await machine.ip(addForeign);
      await machine.start({ config: removeAtStop });
      await machine.has(first, second, foreign);
      await machine.stop();
      assert.deepEqual(await machine.show(), [foreign]);
    });
  });

  describe("limits", () => {
    it("on-stop=remove gives back the administrator's, which a crash does not make it forget", async (t) => {
      const machine = await Machine.create(t);
      await machine.ip("mptcp limits set subflows 1 add_addr_accepted 0");
      await machine.start();
      await machine.daemon.kill();
      await machine.start({ config: removeAtStop });
      assert.deepEqual(await machine.host.limits(), { subflows: 3, addAddrAccepted: 3 });
      await machine.stop();
      assert.deepEqual(await machine.host.limits(), { subflows: 1, addAddrAccepted: 0 });
    });

    it("on-stop=remove leaves what the administrator set while it ran", async (t) => {
      const machine = await Machine.create(t);
      await machine.start({ config: removeAtStop });
      await machine.ip("mptcp limits set subflows 7 add_addr_accepted 6");
      await machine.stop();
      assert.deepEqual(await machine.host.limits(), { subflows: 7, addAddrAccepted: 6 });
    });

    it("it learns the kernel's maximum, and does not run against it again", async (t) => {
      const machine = await Machine.create(t, {
        eth0: Array.from({ length: 8 }, (_, i) => `10.0.0.${i + 1}/24`),
      });
      await machine.start();
      await machine.reload();
      const { subflows } = await machine.host.limits();
      assert.ok(subflows === 8 || subflows === 10, `${subflows}`);
      assert.deepEqual(machine.problems, []);
    });
  });

  describe("restart", () => {
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

  describe("SIGKILL loses nothing", () => {
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
      for (let share = 0.5; share < 1.2; share += 0.08) {
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

  describe("SIGHUP", () => {
    it("puts a changed file into force", async (t) => {
      const machine = await Machine.create(t);
      await machine.start();
      await machine.reload(`${atOnce}addr-flags=signal\n`);
      assert.deepEqual(await machine.show(), ["10.0.0.1 eth0 signal"]);
    });

    it("changes backup and fullmesh in place, and says of other flags that this breaks subflows", async (t) => {
      const machine = await Machine.create(t, twoAddresses);
      await machine.start();
      const { id } = await machine.endpoint("10.0.0.2");
      for (const flags of ["subflow,backup", "subflow,fullmesh", "subflow,backup,fullmesh", "subflow"]) {
        await machine.reload(`${atOnce}addr-flags=${flags}\n`);
        await machine.has(`10.0.0.1 eth0 ${flags}`, `10.0.0.2 eth0 ${flags}`);
        assert.equal((await machine.endpoint("10.0.0.2")).id, id);
      }
      assert.doesNotMatch(machine.daemon.output, /deleted/);
      await machine.reload(`${atOnce}addr-flags=signal\n`);
      await machine.has("10.0.0.1 eth0 signal", "10.0.0.2 eth0 signal");
      assert.equal((await machine.endpoint("10.0.0.2")).id, id);
      assert.match(
        machine.daemon.output,
        /10\.0\.0\.2 .*deleted, flags subflow become signal; this breaks its subflows/,
      );
    });

    it("a bad file is refused whole and the old one stays in force", async (t) => {
      const machine = await Machine.create(t);
      await machine.start();
      await machine.reload("[core]\naddr-flags=signal\non-stop=never\n");
      const [fault, ...more] = machine.problems;
      assert.match(
        fault ?? "",
        /^error: .*mptcpd\.conf:3: on-stop: "?never"? is unknown: allowed are keep or remove/,
      );
      assert.deepEqual(more, ["error: the configuration was not reloaded: the old one stays in force"]);
      await machine.ip("addr add 10.0.0.2/24 dev eth0");
      await machine.has(first, second);
      await machine.reload(`${atOnce}addr-flags=signal\n`);
      await machine.has("10.0.0.1 eth0 signal", "10.0.0.2 eth0 signal");
    });

    it("a file that is gone is refused too", async (t) => {
      const machine = await Machine.create(t);
      await machine.start();
      rmSync(machine.daemon.configFile);
      await machine.says(/^error: .*there is no such file/, () => machine.reload());
      await machine.has(first);
    });
  });

  describe("one instance for each network namespace", () => {
    it("a second one is refused, and the first goes on", async (t) => {
      const machine = await Machine.create(t);
      const running = await machine.start();
      const { code, lines } = await machine.runToEnd();
      assert.equal(code, 1);
      assert.match(
        lines.join(),
        /^error: mptcpd with pid \d+ serves this network namespace already: stop it first$/,
      );
      await machine.ip("addr add 10.0.0.2/24 dev eth0");
      await machine.has(first, second);
      assert.equal(running.exit, undefined);
    });

    it("another namespace is free, with the same runtime directory", async (t) => {
      const machine = await Machine.create(t);
      const other = new Machine(machine.lab, await machine.lab.host("other"));
      await machine.lab.link({ a: [other.host, "eth0", "10.0.0.2/24"] });
      await machine.start();
      await other.start({ args: ["--runtime-dir", machine.runtimeDirectory] });
      await other.has(second);
      await machine.restart();
      await machine.keeps(first);
    });

    it("the place is free again after a crash", async (t) => {
      const machine = await Machine.create(t);
      await machine.start();
      await machine.daemon.kill();
      await machine.start();
    });
  });

  describe("the service manager is told", () => {
    it("when it is ready, when it reloads and when it stops", async (t) => {
      const machine = await Machine.create(t);
      const { path, receiver } = await listenForNotifications(machine.lab, machine.host);
      machine.launch({ env: { NOTIFY_SOCKET: path } });
      await receiver.waitForLine(/^READY=1$/);
      assert.deepEqual(await machine.show(), [first]);
      await machine.reload();
      await machine.stop();
      await receiver.waitForLine(/^STOPPING=1$/);
      assert.deepEqual(
        receiver.lines.map((line) => line.replace(/\d{6,}/, "N")),
        ["listening", "READY=1", "RELOADING=1 MONOTONIC_USEC=N", "READY=1", "STOPPING=1"],
      );
    });

    it("that it lives, as often as the watchdog wants it", async (t) => {
      const machine = await Machine.create(t);
      const { path, receiver } = await listenForNotifications(machine.lab, machine.host);
      await machine.start({ env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: "20000" } });
      for (const _ of [1, 2, 3])
        await receiver.waitForLine(/^WATCHDOG=1$/, { from: receiver.lines.length, deadlineMs: 1000 });
    });

    it("and if the manager is gone it runs on", async (t) => {
      const machine = await Machine.create(t);
      const path = machine.lab.freshPath("nobody");
      await machine.start({ env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: "2000" } });
      await machine.keeps(first);
    });
  });

  it("a log that nobody reads any more does not end it", async (t) => {
    const machine = await Machine.create(t);
    const readOneLine = 'mkfifo "$0" && { head -n 1 "$0" & exec "$@" 2>"$0"; }';
    const fifo = machine.lab.freshPath("log");
    const daemon = machine.launch({ command: ["sh", "-c", readOneLine, fifo, ...program] });
    await machine.has(first);
    await machine.ip("addr add 10.0.0.2/24 dev eth0");
    await machine.has(first, second);
    await machine.ip("addr del 10.0.0.2/24 dev eth0");
    await machine.has(first);
    assert.equal(daemon.lines.length, 1);
    await machine.stop();
  });

  it("what fails is tried again, with patience, until it works", async (t) => {
    const machine = await Machine.create(t);
    await machine.start({ args: ["--debug"] });
    rmSync(machine.runtimeDirectory, { recursive: true });
    await machine.says(/^error: .*ledger\.json.*; trying again until it works$/, () =>
      machine.ip("addr add 10.0.0.2/24 dev eth0"),
    );
    const start = performance.now();
    await machine.daemon.waitForLine(/trying again in 800 ms/);
    const waited = performance.now() - start;
    assert.ok(waited > 500, `${waited} ms, but it said that it would wait for 100, 200 and 400`);
    assert.equal(machine.daemon.lines.filter((line) => line.includes("trying again")).length, 4);
    mkdirSync(machine.runtimeDirectory);
    await machine.has(first, second);
  });

  it("a fault of its own ends it with 70 and a trace, and the next start goes on", async (t) => {
    const machine = await Machine.create(t);
    const fault = machine.lab.freshPath("fault.cjs");
    writeFileSync(fault, 'process.on("SIGWINCH", () => { throw new Error("provoked"); });');
    const daemon = await machine.start({ env: { NODE_OPTIONS: `--require=${fault}` } });
    daemon.signal("SIGWINCH");
    assert.equal((await daemon.exited).code, 70);
    assert.match(daemon.lines.at(-1) ?? "", /^error: a fault of mptcpd itself: Error: provoked .*fault\.cjs/);
    await machine.start();
    assert.deepEqual(machine.daemon.lines, ["notice: ready"]);
  });
});
