import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { findCapacity } from "../lab/capacity.ts";
import { checkout } from "../lab/checkout.ts";
import { Lab } from "../lab/lab.ts";
import { Machine, program } from "../lab/machine.ts";
import { listenForNotifications } from "../lab/notify-socket.ts";
import { requires } from "../lab/requires.ts";
import { eventually, waitFor } from "../lab/wait.ts";

const { MPTCPD_ADDON: addon = join(checkout, "dist/addon.node") } = process.env;

describe("faults of the C mptcpd that this one does not have", { skip: requires(), concurrency: 4 }, () => {
  it("F1: a point-to-point link gives its own address, not the peer's", async (t) => {
    const machine = await Machine.create(t, { eth0: [] });
    await machine.ip("addr add 10.9.0.1 peer 10.9.0.2 dev eth0");
    await machine.start();
    await machine.ip("addr add 2001:db8:7::1 peer 2001:db8:7::2 dev eth0");
    await machine.has("10.9.0.1 eth0 subflow", "2001:db8:7::1 eth0 subflow");
  });

  it("F2: notifications that the kernel dropped are made up for", async (t) => {
    const machine = await Machine.create(t, { eth0: ["10.0.0.1/24", "10.0.0.2/24"] });
    await machine.start();
    await machine.has("10.0.0.1 eth0 subflow", "10.0.0.2 eth0 subflow");
    await machine.says(/^warning: the kernel dropped notifications/, async () => {
      machine.daemon.signal("SIGSTOP");
      await machine.host.ipBatch(repeat(15_000, (i) => `link set eth0 txqueuelen ${1000 + (i % 2)}`));
      await machine.host.ipBatch(["addr del 10.0.0.2/24 dev eth0", "addr add 10.0.0.3/24 dev eth0"]);
      machine.daemon.signal("SIGCONT");
    });
    await machine.has("10.0.0.1 eth0 subflow", "10.0.0.3 eth0 subflow");
    await machine.ip("addr add 10.0.0.4/24 dev eth0");
    await machine.has("10.0.0.1 eth0 subflow", "10.0.0.3 eth0 subflow", "10.0.0.4 eth0 subflow");
  });

  it("F3: thousands of MPTCP connections do not deafen it", async (t) => {
    const machine = await Machine.create(t);
    await machine.start();
    machine.daemon.signal("SIGSTOP");
    const storm = join(import.meta.dirname, "../lab/connection-storm.js");
    await machine.host.run("env", `MPTCPD_ADDON=${addon}`, process.execPath, storm, "3000");
    machine.daemon.signal("SIGCONT");
    await machine.ip("addr add 10.0.0.2/24 dev eth0");
    await machine.has("10.0.0.1 eth0 subflow", "10.0.0.2 eth0 subflow");
  });

  it("F4: it stays responsive while the kernel takes its time to delete endpoints", async (t) => {
    const machine = await Machine.create(t, { eth0: repeat(8, (i) => `10.0.0.${i + 1}/24`) });
    const { path, receiver } = await listenForNotifications(machine.lab, machine.host);
    // The watchdog is fed each millisecond.
    await machine.start({ env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: "2000" } });
    await machine.ip("addr flush dev eth0");
    await machine.daemon.waitForLine(/deleted/);
    const before = receiver.lines.length;
    await machine.has();
    const meals = receiver.lines.length - before;
    assert.ok(meals > 20, `the watchdog was fed ${meals} times while 7 endpoints were deleted`);
  });

  describe("F5: an address assigned before there is a carrier becomes an endpoint when there is one", () => {
    it("when the link was down", async (t) => {
      const machine = await Machine.create(t, { eth0: [] });
      await machine.ip("link set eth0 down");
      await machine.start();
      await machine.ip("addr add 10.0.0.1/24 dev eth0");
      await machine.keeps();
      await machine.ip("link set eth0 up");
      await machine.has("10.0.0.1 eth0 subflow");
    });

    it("when the cable was out, and both were so before the start", async (t) => {
      const machine = await Machine.create(t);
      await machine.cable("eth0").cut();
      await stateOf(machine, "eth0", "DOWN");
      await machine.start();
      await machine.keeps();
      await machine.cable("eth0").restore();
      await machine.has("10.0.0.1 eth0 subflow");
    });
  });

  describe("F6: a link that goes down and up does not make it forget addresses", () => {
    for (const kind of ["link", "carrier"]) {
      it(`after a flap of the ${kind} an address that goes takes its endpoint along`, async (t) => {
        const machine = await Machine.create(t);
        const flap = async (state: "down" | "up") => {
          if (kind === "link") await machine.ip(`link set eth0 ${state}`);
          else await machine.cable("eth0")[state === "down" ? "cut" : "restore"]();
          await stateOf(machine, "eth0", state.toUpperCase());
        };
        await machine.start();
        await flap("down");
        await machine.keeps("10.0.0.1 eth0 subflow");
        await flap("up");
        await machine.keeps("10.0.0.1 eth0 subflow");
        await machine.ip("addr del 10.0.0.1/24 dev eth0");
        await machine.has();
        await machine.ip("addr add 10.0.0.1/24 dev eth0");
        await machine.has("10.0.0.1 eth0 subflow");
        assert.deepEqual(await machine.host.limits(), { subflows: 3, addAddrAccepted: 3 });
      });
    }

    it("IPv6 addresses, which the kernel takes from a link that goes down, lose their endpoints", async (t) => {
      const machine = await Machine.create(t, { eth0: ["10.0.0.1/24", "2001:db8::1/64"] });
      await machine.start();
      await machine.has("10.0.0.1 eth0 subflow", "2001:db8::1 eth0 subflow");
      await machine.ip("link set eth0 down");
      await machine.has("10.0.0.1 eth0 subflow");
    });
  });

  describe("F7: endpoints of an interface that is no more go at once, whatever the removal delay", () => {
    const patient = "[core]\nremoval-delay=3600\n";

    it("when it was deleted", async (t) => {
      const machine = await Machine.create(t, { eth0: ["10.0.0.1/24"], eth1: ["10.0.1.1/24"] });
      await machine.start({ config: patient });
      await machine.ip("link del eth1");
      await machine.has("10.0.0.1 eth0 subflow");
    });

    it("when it was moved to another network namespace", async (t) => {
      const machine = await Machine.create(t, { eth0: ["10.0.0.1/24"], eth1: ["10.0.1.1/24"] });
      const { namespace } = await machine.lab.host("other");
      await machine.start({ config: patient });
      await machine.ip(`link set eth1 netns ${namespace}`);
      await machine.has("10.0.0.1 eth0 subflow");
    });
  });

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

  it("F11: check_route waits for a default route as long as it takes, and notices when it goes", async (t) => {
    const machine = await Machine.create(t);
    await machine.start({ args: ["--notify-flags=check_route"] });
    await machine.keeps();
    await machine.ip("route add default via 10.0.0.254 dev eth0");
    await machine.has("10.0.0.1 eth0 subflow");
    await machine.ip("route del default");
    await machine.has();
  });

  describe("F13: addresses that are not fit for use are not used", () => {
    it("an IPv6 address that is still being checked for duplicates, until it was", async (t) => {
      const lab = await Lab.create(t);
      const host = await lab.host("client");
      await lab.link({ a: [host, "eth0"], dad: true });
      const machine = new Machine(lab, host);
      await machine.start();
      await machine.ip("addr add 2001:db8::1/64 dev eth0");
      assert.deepEqual(await machine.show(), []);
      assert.match(await machine.ip("addr show dev eth0"), /2001:db8::1.* tentative/);
      await machine.has("2001:db8::1 eth0 subflow");
      assert.doesNotMatch(await machine.ip("addr show dev eth0"), /2001:db8::1.* tentative/);
    });

    it("an IPv6 address that another host has", async (t) => {
      const lab = await Lab.create(t);
      const [host, other] = [await lab.host("client"), await lab.host("other")];
      await lab.link({ a: [host, "eth0"], b: [other, "eth0"], dad: true });
      await other.ip("addr add 2001:db8::1/64 dev eth0 nodad");
      const machine = new Machine(lab, host);
      await machine.start();
      await machine.ip("addr add 2001:db8::1/64 dev eth0");
      await eventually("the duplicate to be found", async () =>
        assert.match(await machine.ip("addr show dev eth0"), /2001:db8::1.* dadfailed/),
      );
      await machine.keeps();
    });

    it("a deprecated IPv6 address, from the start or from when it becomes so", async (t) => {
      const machine = await Machine.create(t, { eth0: ["2001:db8::1/64 preferred_lft 0"] });
      await machine.start();
      await machine.ip("addr add 2001:db8::2/64 dev eth0 valid_lft 1000 preferred_lft 1");
      await machine.has("2001:db8::2 eth0 subflow");
      await machine.has();
    });

    it("a temporary IPv6 address beside the stable one it was made from", async (t) => {
      const machine = await Machine.create(t, { eth0: [] });
      await machine.host.sysctl("net/ipv6/conf/eth0/use_tempaddr", 2);
      await machine.start();
      await machine.ip("addr add 2001:db8::1/64 dev eth0 mngtmpaddr valid_lft 86400 preferred_lft 86400");
      await waitFor("a temporary address", () => machine.ip("addr show dev eth0 temporary"), {
        until: (text) => text.includes("2001:db8:"),
      });
      await machine.keeps("2001:db8::1 eth0 subflow");
    });

    it("a link-local address", async (t) => {
      const machine = await Machine.create(t, { eth0: ["169.254.3.3/16", "10.0.0.1/24"] });
      assert.match(await machine.ip("addr show dev eth0"), /fe80::/);
      await machine.start();
      await machine.keeps("10.0.0.1 eth0 subflow");
    });
  });

  it("F14: addresses beyond the kernel's maximum wait, and get the first slot that becomes free", async (t) => {
    const most = await findCapacity();
    // Their order as text is that in which they are made.
    const addresses = repeat(most + 2, (i) => `10.${100 + Math.floor(i / 100)}.0.${100 + (i % 100)}`);
    const machine = await Machine.create(t, { eth0: addresses.map((address) => `${address}/32`) });
    const endpoints = addresses.map((address) => `${address} eth0 subflow`);
    await machine.start();
    await machine.keeps(...endpoints.slice(0, most));
    await machine.ip(`addr del ${addresses[2]}/32 dev eth0`);
    await machine.has(...endpoints.toSpliced(2, 1).slice(0, most));
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
      assert.deepEqual(await machine.host.limits(), { subflows: 3, addAddrAccepted: 1 });
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
      assert.deepEqual(await machine.host.limits(), { subflows: 4, addAddrAccepted: 4 });
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

  it("F18: a second instance in the same network namespace is refused", async (t) => {
    const machine = await Machine.create(t);
    const first = await machine.start();
    const { code, lines } = await machine.runToEnd();
    assert.equal(code, 1);
    assert.match(
      lines.join(),
      /^error: mptcpd with pid \d+ serves this network namespace already: stop it first$/,
    );
    assert.equal(first.exit, undefined);
  });

  it("F19: without CAP_NET_ADMIN it does not start, and says what to do", async (t) => {
    const machine = await Machine.create(t);
    const withoutIt = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-all", ...program] as const;
    const { code, lines } = await machine.runToEnd({ command: [...withoutIt] });
    assert.equal(code, 1);
    assert.deepEqual(lines, [
      "error: changing endpoints needs CAP_NET_ADMIN: run mptcpd as root, or by its systemd unit",
    ]);
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
      await machine.host.sysctl("net.mptcp.enabled", 0);
      await machine.says(/^warning: net\.mptcp\.enabled was switched off/, () => machine.reload());
      await machine.ip("addr add 10.0.0.2/24 dev eth0");
      await machine.has("10.0.0.1 eth0 subflow", "10.0.0.2 eth0 subflow");
      await machine.host.sysctl("net.mptcp.enabled", 1);
      await machine.says(/^notice: net\.mptcp\.enabled is on again/, () => machine.reload());
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
    for (; !daemon.lines.includes("notice: ready") || changes % 2 === 0; changes++)
      await machine.ip(`addr ${changes % 2 === 0 ? "add" : "del"} 10.0.0.2/24 dev eth0`);
    assert.ok(changes > 2, `${changes} changes before it was ready`);
    await machine.has("10.0.0.1 eth0 subflow", "10.0.0.2 eth0 subflow");
  });

  it("F30: --debug shows what the inner parts have to say, too", async (t) => {
    const machine = await Machine.create(t);
    for (const args of [[], ["--debug"]]) {
      await machine.start({ args });
      rmSync(machine.runtimeDirectory, { recursive: true });
      await machine.ip("addr add 10.0.0.2/24 dev eth0");
      await machine.daemon.waitForLine(/trying again until it works/);
      if (args.length > 0) {
        await machine.daemon.waitForLine(/^debug: 10\.0\.0\.2 on eth0: endpoint, usable/);
        await machine.daemon.waitForLine(/^debug: .*trying again in 200 ms/);
      }
      mkdirSync(machine.runtimeDirectory);
      await machine.has("10.0.0.1 eth0 subflow", "10.0.0.2 eth0 subflow");
      await machine.stop();
      assert.equal(machine.daemon.output.includes("debug:"), args.length > 0);
      await machine.ip("addr del 10.0.0.2/24 dev eth0");
      await machine.ip("mptcp endpoint flush");
    }
  });

  it("F32: it warns when the userspace path manager is selected, which takes no notice of endpoints", async (t) => {
    const machine = await Machine.create(t);
    await machine.host.sysctl("net.mptcp.pm_type", 1);
    await machine.start();
    await machine.daemon.waitForLine(/^warning: net\.mptcp\.path_manager is userspace/);
    await machine.host.sysctl("net.mptcp.pm_type", 0);
    await machine.says(/^notice: net\.mptcp\.path_manager is kernel/, () => machine.reload());
  });

  it("F34: systemd notices when it no longer works: its watchdog is fed by the loop that does the work", async (t) => {
    const machine = await Machine.create(t);
    const { path, receiver } = await listenForNotifications(machine.lab, machine.host);
    await machine.start({ env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: "20000" } });
    await receiver.waitForLine(/^WATCHDOG=1$/);
    await receiver.waitForLine(/^WATCHDOG=1$/, { from: receiver.lines.length });
  });
});

/** The kernel takes up to a second to tell of a carrier. */
async function stateOf(machine: Machine, device: string, state: string): Promise<void> {
  await waitFor(`${device} to be ${state}`, () => machine.ip(`link show dev ${device}`), {
    until: (text) => text.includes(`state ${state} `),
  });
}

function repeat<Item>(length: number, make: (index: number) => Item): Item[] {
  return Array.from({ length }, (_, index) => make(index));
}

function count(lines: readonly string[], pattern: RegExp): number {
  return lines.filter((line) => pattern.test(line)).length;
}
