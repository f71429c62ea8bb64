import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { largestLimits } from "../lab/largest-limit.ts";
import { Machine, program } from "../lab/machine.ts";
import { listenForNotifications } from "../lab/notify-socket.ts";

describe("faults of the C mptcpd that this one does not have: as a service, beside others", {
  skip: requires(),
  concurrency: 4,
}, () => {
  describe("F9: endpoints that others made are not deleted", () => {
    it("when they have the id that we would have taken", async (t) => {
      const machine = await Machine.create(t, { eth0: [] });
      await machine.start();
      await machine.ip("mptcp endpoint add 192.168.7.7 id 1 signal");
      await machine.ip("addr add 10.0.0.1/24 dev eth0");
      await machine.has("10.0.0.1 eth0 subflow", "192.168.7.7 - signal");
      await machine.ip("addr del 10.0.0.1/24 dev eth0");
      await machine.keeps("192.168.7.7 - signal");
    });

    it("when they have our address and a port", async (t) => {
      const machine = await Machine.create(t);
      await machine.start();
      await machine.ip("mptcp endpoint add 10.0.0.1 id 6 port 1001 signal");
      await machine.ip("addr del 10.0.0.1/24 dev eth0");
      await machine.keeps("10.0.0.1 port 1001 - signal");
    });
  });

  describe("F15: the administrator's limits are raised if need be, and never lowered", () => {
    it("what is enough stays as it is", async (t) => {
      const machine = await Machine.create(t);
      await machine.ip("mptcp limits set subflows 8 add_addr_accepted 4");
      await machine.start();
      assert.deepEqual(await machine.host.limits(), { subflows: 8, addAddrAccepted: 4 });
    });

    it("endpoints without the flag subflow leave add_addr_accepted alone", async (t) => {
      const machine = await Machine.create(t);
      await machine.ip("mptcp limits set subflows 1 add_addr_accepted 1");
      await machine.start({ args: ["--addr-flags=signal"] });
      assert.deepEqual(await machine.host.limits(), {
        ...(await largestLimits(machine.host)),
        addAddrAccepted: 1,
      });
    });

    it("they do not drift as addresses come and go", async (t) => {
      const machine = await Machine.create(t);
      await machine.start();
      for (const _ of [1, 2, 3]) {
        await machine.ip("addr add 10.0.0.2/24 dev eth0");
        await machine.has("10.0.0.1 eth0 subflow", "10.0.0.2 eth0 subflow");
        await machine.ip("addr del 10.0.0.2/24 dev eth0");
        await machine.has("10.0.0.1 eth0 subflow");
      }
      await machine.reload();
      assert.deepEqual(await machine.host.limits(), await largestLimits(machine.host));
    });
  });

  it("F16: a restart deletes what is stale, applies changed flags and lets the rest be", async (t) => {
    const machine = await Machine.create(t, { eth0: ["10.0.0.1/24", "10.0.0.2/24"] });
    await machine.start();
    await machine.daemon.stop();
    await machine.ip("addr del 10.0.0.2/24 dev eth0");
    await machine.start({ args: ["--addr-flags=signal"] });
    await machine.keeps("10.0.0.1 eth0 signal");
  });

  it("F17: an endpoint that somebody removed comes back, with one warning", async (t) => {
    const machine = await Machine.create(t);
    await machine.start();
    await machine.ip("mptcp endpoint flush");
    await machine.says(/^warning: endpoint 1 10\.0\.0\.1 .*deleted by somebody else/, () => machine.reload());
    await machine.keeps("10.0.0.1 eth0 subflow");
    assert.equal(count(machine.daemon.lines, /deleted by somebody else/), 1);
  });

  it("F18: a second instance in the same network namespace is refused, and the first goes on", async (t) => {
    const machine = await Machine.create(t);
    const first = await machine.start();
    const { code, lines } = await machine.runToEnd();
    assert.equal(code, 1);
    assert.match(
      lines.join(),
      /^notice: the process with pid \d+ has the lock of this network namespace; waiting for it to let go,error: mptcpd with pid \d+ serves this network namespace already: stop it first$/,
    );
    await machine.ip("addr add 10.0.0.2/24 dev eth0");
    await machine.has("10.0.0.1 eth0 subflow", "10.0.0.2 eth0 subflow");
    assert.equal(first.exit, undefined);
  });

  it("F19: without CAP_NET_ADMIN it does not start, and says what to do", async (t) => {
    const machine = await Machine.create(t);
    const withoutIt = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-all", ...program] as const;
    const { code, lines } = await machine.runToEnd({ command: [...withoutIt] });
    assert.equal(code, 1);
    assert.deepEqual(lines, ["error: changing endpoints needs CAP_NET_ADMIN: run mptcpd as root"]);
  });

  describe("F20: MPTCP that is not there is noticed", () => {
    it("switched off at the start: it does not start", async (t) => {
      const machine = await Machine.create(t);
      await machine.host.sysctl("net.mptcp.enabled", 0);
      const { code, lines } = await machine.runToEnd();
      assert.equal(code, 1);
      assert.deepEqual(lines, [
        "error: MPTCP is switched off in this network namespace: run `sysctl -w net.mptcp.enabled=1`",
      ]);
    });

    it("not in the kernel: it does not start", async (t) => {
      const machine = await Machine.create(t);
      const hide = 'mount -t tmpfs none /proc/sys/net/mptcp && exec "$@"';
      const { code, lines } = await machine.runToEnd({
        command: ["unshare", "--mount", "sh", "-c", hide, "sh", ...program],
      });
      assert.equal(code, 1);
      assert.deepEqual(lines, [
        "error: this kernel has no MPTCP (no sysctl net.mptcp.enabled): use one with CONFIG_MPTCP=y",
      ]);
    });

    it("switched off while it runs: it warns, and says when all is well again", async (t) => {
      const machine = await Machine.create(t);
      await machine.start();
      await machine.says(/^warning: net\.mptcp\.enabled was switched off/, async () => {
        await machine.host.sysctl("net.mptcp.enabled", 0);
        await machine.reload();
      });
      await machine.ip("addr add 10.0.0.2/24 dev eth0");
      await machine.has("10.0.0.1 eth0 subflow", "10.0.0.2 eth0 subflow");
      await machine.says(/^notice: net\.mptcp\.enabled is on again/, async () => {
        await machine.host.sysctl("net.mptcp.enabled", 1);
        await machine.reload();
      });
    });
  });

  it("F25: an empty list of plugins is a plain error", async (t) => {
    const machine = await Machine.create(t);
    const usage = await machine.runToEnd({ args: ["--load-plugins=,"] });
    assert.equal(usage.code, 64);
    assert.match(usage.lines.join(), /^mptcpd: --load-plugins: has an empty item/);
    const config = await machine.runToEnd({ config: "[core]\nload-plugins=\n" });
    assert.equal(config.code, 1);
    assert.match(config.lines.join(), /mptcpd\.conf:2: load-plugins: is empty/);
  });

  it("F29: addresses that come and go while it starts are not lost", async (t) => {
    const machine = await Machine.create(t);
    const daemon = machine.launch();
    let changes = 0;
    // Some at least, also where it was ready before this process had its turn.
    for (; changes < 5 || !daemon.lines.includes("notice: ready") || changes % 2 === 0; changes++)
      await machine.ip(`addr ${changes % 2 === 0 ? "add" : "del"} 10.0.0.2/24 dev eth0`);
    await machine.has("10.0.0.1 eth0 subflow", "10.0.0.2 eth0 subflow");
  });

  it("F30: --debug shows what the inner parts have to say, too", async (t) => {
    const machine = await Machine.create(t);
    for (const args of [[], ["--debug"]]) {
      await machine.start({ args });
      rmSync(machine.runtimeDirectory, { recursive: true });
      writeFileSync(machine.runtimeDirectory, "in the way");
      await machine.ip("addr add 10.0.0.2/24 dev eth0");
      await machine.daemon.waitForLine(/trying again until it works/);
      if (args.length > 0) {
        await machine.daemon.waitForLine(/^debug: 10\.0\.0\.2 on eth0: endpoint, usable/);
        await machine.daemon.waitForLine(/^debug: .*trying again in 200 ms/);
      }
      rmSync(machine.runtimeDirectory);
      await machine.has("10.0.0.1 eth0 subflow", "10.0.0.2 eth0 subflow");
      await machine.stop();
      assert.equal(machine.daemon.output.includes("debug:"), args.length > 0);
      await machine.ip("addr del 10.0.0.2/24 dev eth0");
      await machine.ip("mptcp endpoint flush");
    }
  });

  describe("F32: endpoints are not made in vain while the userspace path manager is selected, which takes no notice of them", () => {
    it("the kernel's own is selected, and what was found comes back at the end", async (t) => {
      const machine = await Machine.create(t);
      await machine.host.sysctl("net.mptcp.pm_type", 1);
      await machine.start();
      assert.equal(await machine.host.sysctl("net.mptcp.pm_type"), "0");
      await machine.says(/^warning: net\.mptcp\.path_manager was changed to userspace/, async () => {
        await machine.host.sysctl("net.mptcp.pm_type", 1);
        await machine.reload();
      });
      assert.equal(await machine.host.sysctl("net.mptcp.pm_type"), "0");
      await machine.stop();
      assert.equal(await machine.host.sysctl("net.mptcp.pm_type"), "1");
    });

    it("it is left alone with kernel-path-manager=keep, and a warning says what that means", async (t) => {
      const machine = await Machine.create(t);
      await machine.host.sysctl("net.mptcp.pm_type", 1);
      await machine.start({ config: "[core]\nremoval-delay=0\nkernel-path-manager=keep" });
      await machine.daemon.waitForLine(/^warning: net\.mptcp\.path_manager is userspace/);
      await machine.says(/^notice: net\.mptcp\.path_manager is kernel/, async () => {
        await machine.host.sysctl("net.mptcp.pm_type", 0);
        await machine.reload();
      });
      await machine.stop();
      assert.equal(await machine.host.sysctl("net.mptcp.pm_type"), "0");
    });
  });

  it("F34: systemd notices when it no longer works: its watchdog is fed by the loop that does the work", async (t) => {
    const machine = await Machine.create(t);
    const { path, receiver } = await listenForNotifications(machine.lab, machine.host);
    await machine.start({ env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: "20000" } });
    for (const _ of [1, 2, 3]) await receiver.waitForLine(/^WATCHDOG=1$/, { from: receiver.lines.length });
  });
});

function count(lines: readonly string[], pattern: RegExp): number {
  return lines.filter((line) => pattern.test(line)).length;
}
