import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { addForeign, twoAddresses } from "../lab/examples.ts";
import { largestLimits } from "../lab/largest-limit.ts";
import { atOnce, Machine, program } from "../lab/machine.ts";

const options = { skip: requires(), concurrency: 4 };

describe("mptcpd's command line", options, () => {
  describe("what it does not start with", () => {
    const usageErrors: readonly (readonly [string, RegExp])[] = [
      ["--bogus", /unrecognized option '--bogus'/],
      ["operand", /Too many arguments/],
      ["--log=paper", /--log: .*paper.* is unknown: allowed are stderr, syslog, journal or null/],
      ["--addr-flags=signal,fullmesh", /has both signal and fullmesh/],
    ];
    for (const [argument, message] of usageErrors) {
      it(`${argument} is wrong usage: exit 64`, async (t) => {
        const machine = await Machine.create(t);
        const { code, lines } = await machine.runToEnd({ args: [argument] });
        assert.equal(code, 64);
        assert.match(lines[0] ?? "", message);
        assert.match(lines[1] ?? "", /^Try `mptcpd --help'/);
        assert.deepEqual(await machine.show(), []);
      });
    }

    it("every fault of the configuration is a line FILE:LINE, and it ends with 1", async (t) => {
      const machine = await Machine.create(t);
      const { code, lines } = await machine.runToEnd({
        config: "[core]\nremoval-delay=soon\n[path x]\nprority=1\n",
      });
      assert.equal(code, 1);
      assert.match(
        lines[0] ?? "",
        /^mptcpd: .*mptcpd\.conf:2: removal-delay: .*soon.* is not a number of seconds/,
      );
      assert.match(
        lines[1] ?? "",
        /^mptcpd: .*mptcpd\.conf:4: prority is not a key .*did you mean priority\?/,
      );
      assert.equal(lines.length, 2);
      assert.deepEqual(await machine.show(), []);
    });

    it("a file that everybody may write to", async (t) => {
      const machine = await Machine.create(t);
      const file = machine.lab.freshPath("open.conf");
      writeFileSync(file, atOnce);
      chmodSync(file, 0o666);
      const { code, lines } = await machine.runToEnd({ args: ["--config", file] });
      assert.equal(code, 1);
      assert.match(lines.join(), /open\.conf: everybody may write to it; .*chmod o-w/);
    });

    it("a runtime directory that cannot be", async (t) => {
      const machine = await Machine.create(t);
      const { code, lines } = await machine.runToEnd({ args: ["--runtime-dir", "/dev/null/x"] });
      assert.equal(code, 1);
      assert.match(lines.join(), /^error: cannot use the runtime directory \/dev\/null\/x .*--runtime-dir$/);
    });
  });

  describe("--check", () => {
    it("says that a good configuration is good, and touches nothing", async (t) => {
      const machine = await Machine.create(t);
      const { code, lines } = await machine.runToEnd({ args: ["--check"] });
      assert.equal(code, 0);
      assert.deepEqual(lines, ["the configuration is valid"]);
      assert.deepEqual(await machine.show(), []);
    });

    it("says what is wrong with a bad one, with exit 1", async (t) => {
      const machine = await Machine.create(t);
      const { code, lines } = await machine.runToEnd({ args: ["--check"], config: "[core]\nlog=paper\n" });
      assert.equal(code, 1);
      assert.match(lines.join(), /mptcpd\.conf:2: log: .*paper.* is unknown/);
    });
  });

  describe("--plan", () => {
    it("prints what a start would do, changes nothing, and the start does that", async (t) => {
      const machine = await Machine.create(t, twoAddresses);
      await machine.ip(addForeign);
      await machine.start();
      await machine.stop();
      await machine.ip("addr del 10.0.0.2/24 dev eth0");
      await machine.ip("addr add 10.0.0.3/24 dev eth0");
      const { subflows: most } = await largestLimits(machine.host);
      const changed = { args: ["--addr-flags=subflow,backup"] };
      const before = await machine.show();
      const plan = await machine.runToEnd({ args: [...changed.args, "--plan"] });
      assert.equal(plan.code, 0);
      assert.deepEqual(await machine.show(), before);
      assert.deepEqual(plan.lines, [
        "add endpoint 3 10.0.0.3 dev eth0 subflow,backup: usable",
        "change endpoint 1 10.0.0.1 dev eth0 subflow,backup: flags changed",
        "delete endpoint 2 10.0.0.2 dev eth0 subflow: no longer an address of eth0",
        `limits: subflows ${most}, add_addr_accepted ${most}`,
      ]);
      await machine.start(changed);
      assert.deepEqual(
        machine.daemon.lines.filter((line) => line.startsWith("info: endpoint")),
        [
          "info: endpoint 3 10.0.0.3 dev eth0 subflow,backup: added, usable",
          "info: endpoint 1 10.0.0.1 dev eth0 subflow,backup: changed, flags changed",
          "info: endpoint 2 10.0.0.2 dev eth0 subflow: deleted, no longer an address of eth0",
        ],
      );
      assert.deepEqual(await machine.host.limits(), { subflows: most, addAddrAccepted: most });
    });

    it("says so when there is nothing to do, also while mptcpd runs and without any privilege", async (t) => {
      const machine = await Machine.create(t);
      await machine.start();
      const unprivileged = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", ...program] as const;
      const { code, lines } = await machine.runToEnd({ args: ["--plan"], command: [...unprivileged] });
      const { subflows: most } = await largestLimits(machine.host);
      assert.deepEqual(lines, ["nothing to change", `limits: subflows ${most}, add_addr_accepted ${most}`]);
      assert.equal(code, 0);
    });
  });
});
