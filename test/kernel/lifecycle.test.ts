import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { defaultDeadlineMs } from "../../src/lab/kit/wait.ts";
import { addForeign, first, foreign, removeAtStop, second, twoAddresses } from "../lab/examples.ts";
import { largestLimits } from "../lab/largest-limit.ts";
import { atOnce, Machine, program } from "../lab/machine.ts";
import { ctl } from "../lab/mptcpctl.ts";
import { listenForNotifications } from "../lab/notify-socket.ts";
import { Peer } from "../lab/peer.ts";

/** Many of these wait more than they compute; the first one waits for half a minute. */
const options = { skip: requires(), concurrency: 4 };

describe("the life of mptcpd", options, () => {
  it("what others do is noticed within 30 seconds also when nothing else happens", async (t) => {
    const machine = await Machine.create(t);
    await machine.start();
    await machine.ip("mptcp endpoint flush");
    await machine.host.sysctl("net.mptcp.enabled", 0);
    const soon = { deadlineMs: 30_000 + defaultDeadlineMs };
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
        assert.deepEqual(await machine.host.limits(), await largestLimits(machine.host));
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
      assert.deepEqual(await machine.host.limits(), await largestLimits(machine.host));
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
      assert.deepEqual(await machine.host.limits(), await largestLimits(machine.host));
      assert.deepEqual(machine.problems, []);
    });
  });

  describe("one instance for each network namespace", () => {
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
        receiver.lines
          .filter((line) => !line.startsWith("STATUS="))
          .map((line) => line.replace(/\d{6,}/, "N")),
        ["listening", "READY=1", "RELOADING=1 MONOTONIC_USEC=N", "READY=1", "STOPPING=1"],
      );
    });

    it("which configuration is in force, what mptcpd does by it, and that a reload was refused", async (t) => {
      const machine = await Machine.create(t);
      const { path, receiver } = await listenForNotifications(machine.lab, machine.host);
      const { configFile } = await machine.start({ env: { NOTIFY_SOCKET: path } });
      const status = (pattern: RegExp): Promise<unknown> =>
        machine.eventually(`a status like ${pattern}`, () =>
          assert.match(receiver.lines.findLast((line) => line.startsWith("STATUS=")) ?? "", pattern),
        );
      const numbers = (text: string): RegExp =>
        new RegExp(`^STATUS=${configFile} in force since \\d{4}-\\d\\d-\\d\\d [\\d:]{8} \\S+; ${text}$`);
      await status(numbers("1 endpoint, 1 uplink; path manager: addr_adv"));
      await machine.plug("eth1", "10.0.1.1/24");
      await status(numbers("2 endpoints, 2 uplinks; path manager: addr_adv"));
      await machine.reload(
        "[core]\nremoval-delay=0\nload-plugins=addr_adv,fullmesh\npath-manager=fullmesh\n",
      );
      await status(/; path managers: addr_adv, fullmesh$/);
      await machine.reload("[core]\non-stop=never\n");
      await status(/: addr_adv, fullmesh; the last reload \(.*\) was refused: .*:2: on-stop: /);
      await machine.reload(atOnce);
      await status(numbers("2 endpoints, 2 uplinks; path manager: addr_adv"));
      await machine.stop();
      await status(/^STATUS=$/);
    });

    it("and if it is gone mptcpd runs on", async (t) => {
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
    await daemon.waitForLine(/./);
    await machine.has(first);
    await machine.ip("addr add 10.0.0.2/24 dev eth0");
    await machine.has(first, second);
    await machine.ip("addr del 10.0.0.2/24 dev eth0");
    await machine.has(first);
    assert.equal(daemon.lines.length, 1);
    await machine.stop();
  });

  it("what fails is tried again, with patience, until it works; all else goes on, and explain tells", async (t) => {
    const machine = await Machine.create(t);
    const { host, runtimeDirectory } = machine;
    // A program has the port at which the kernel would listen for the endpoint.
    const port = await new Peer(host).listen({ address: "10.0.0.1", port: 0 });
    const config = `${atOnce}addr-flags=signal\n[path one]\nmatch-address=10.0.0.1\nport=${port}\n[path others]\n`;
    await machine.start({ config, args: ["--debug"] });
    await machine.ip("addr add 10.0.0.2/24 dev eth0");
    await machine.has("10.0.0.2 eth0 signal");
    const [line, ...more] = machine.problems;
    assert.match(
      line ?? "",
      /^error: cannot add endpoint 10\.0\.0\.1 port \d+ dev eth0 signal: .*\(EADDRINUSE\); trying again/,
    );
    assert.deepEqual(more, []);
    await machine.daemon.waitForLine(/trying again in 800 ms/);
    const where = `--config ${machine.daemon.configFile} --runtime-dir ${runtimeDirectory}`;
    const shown = await ctl(host, `explain 10.0.0.1 ${where}`);
    assert.match(
      shown,
      /^10\.0\.0\.1 +eth0 +- +refused +.*mptcpd cannot add the endpoint: .*\(EADDRINUSE\); tried \d+ times, next in \d+ s$/m,
    );
    const [object] = JSON.parse(await ctl(host, `-j explain 10.0.0.1 ${where}`));
    assert.deepEqual(
      [object.outcome, object.code, object.refusal.action, object.refusal.code],
      ["refused", "refused", "add", "EADDRINUSE"],
    );
    assert.ok(Date.parse(object.refusal.retry_at) > Date.now() - 1000, object.refusal.retry_at);
    await machine.reload(`${atOnce}addr-flags=signal\n`);
    await machine.has("10.0.0.1 eth0 signal", "10.0.0.2 eth0 signal");
    assert.match(await ctl(host, `explain 10.0.0.1 ${where}`), /^10\.0\.0\.1 .* endpoint +usable$/m);
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
