import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkout } from "../../src/lab/kit/checkout.ts";
import { Lab } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { eventually, waitFor } from "../../src/lab/kit/wait.ts";
import { findCapacity } from "../lab/capacity.ts";
import { largestLimits } from "../lab/largest-limit.ts";
import { Machine, soon } from "../lab/machine.ts";

const { MPTCPD_ADDON: addon = join(checkout, "dist/addon.node") } = process.env;

describe("faults of the C mptcpd that this one does not have: following the network", {
  skip: requires(),
  concurrency: 4,
}, () => {
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
    await machine.start();
    const addresses = repeat(8, (i) => `addr add 10.0.0.${i + 1}/24 dev eth0`);
    let [main, others] = [0, 0];
    for (let round = 0; round < 5; round++) {
      await machine.host.ipBatch(addresses.slice(round === 0 ? addresses.length : 0));
      await machine.hasEndpointsAt(repeat(8, (i) => `10.0.0.${i + 1}`));
      const watcher = machine.host.spawn("perl", ["-e", perlThreadWatcher, String(machine.daemon.pid)]);
      await watcher.waitForLine(/^watching$/);
      await machine.ip("addr flush dev eth0");
      await machine.has();
      watcher.stdin.end();
      const [, blockedMain, blockedOthers] = await watcher.waitForLine(/^main (\d+) others (\d+)$/);
      main += Number(blockedMain);
      others += Number(blockedOthers);
    }
    t.diagnostic(`threads seen waiting in the kernel: the main thread ${main} times, others ${others} times`);
    // On a busy machine the main thread waits for memory, too. Did it delete endpoints itself, the others would never
    // wait.
    assert.ok(others > 5 && main < others, `main thread ${main} times, others ${others} times`);
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
        await machine.start({ config: soon });
        await flap("down");
        await machine.keeps("10.0.0.1 eth0 subflow");
        await flap("up");
        await machine.keeps("10.0.0.1 eth0 subflow");
        await machine.ip("addr del 10.0.0.1/24 dev eth0");
        await machine.has();
        await machine.ip("addr add 10.0.0.1/24 dev eth0");
        await machine.has("10.0.0.1 eth0 subflow");
        assert.deepEqual(await machine.host.limits(), await largestLimits(machine.host));
      });
    }

    it("IPv6 addresses, which the kernel takes from a link that goes down, lose their endpoints", async (t) => {
      const machine = await Machine.create(t, { eth0: ["10.0.0.1/24", "2001:db8::1/64"] });
      await machine.start({ config: soon });
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
      // Long enough to be seen on a busy machine.
      await host.sysctl("net/ipv6/conf/eth0/dad_transmits", 3);
      const machine = new Machine(lab, host);
      await machine.start();
      await machine.ip("addr add 2001:db8::1/64 dev eth0");
      await machine.keeps();
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
      await machine.ip("addr add 2001:db8::2/64 dev eth0 valid_lft 1000 preferred_lft 1000");
      await machine.has("2001:db8::2 eth0 subflow");
      await machine.ip("addr change 2001:db8::2/64 dev eth0 valid_lft 1000 preferred_lft 1");
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
      await eventually("a link-local address", async () =>
        assert.match(await machine.ip("addr show dev eth0"), /fe80::/),
      );
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
});

/**
 * Counts how often the main thread of a process, and its others, are seen in uninterruptible sleep; until its input
 * ends.
 */
const perlThreadWatcher = `
  $| = 1;
  my ($pid) = @ARGV;
  my ($main, $others) = (0, 0);
  my $input = "";
  vec($input, 0, 1) = 1;
  print "watching\\n";
  until (select(my $ended = $input, undef, undef, 0)) {
    for my $file (glob "/proc/$pid/task/*/stat") {
      open(my $stat, "<", $file) or next;
      (<$stat> // "") =~ /^(\\d+) .*\\) D / or next;
      $1 == $pid ? $main++ : $others++;
    }
  }
  print "main $main others $others\\n"`;

async function stateOf(machine: Machine, device: string, state: string): Promise<void> {
  await waitFor(`${device} to be ${state}`, () => machine.ip(`link show dev ${device}`), {
    until: (text) => text.includes(`state ${state} `),
  });
}

function repeat<Item>(length: number, make: (index: number) => Item): Item[] {
  return Array.from({ length }, (_, index) => make(index));
}
