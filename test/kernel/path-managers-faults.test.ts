import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { Closer } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { slowness, waitFor } from "../../src/lab/kit/wait.ts";
import { type Machine, program, slowHandler } from "../lab/machine.ts";
import { ManagedHost } from "../lab/managed-host.ts";
import { PluginDirectory, plugin, withPlugins } from "../lab/plugin-directory.ts";

const options = { skip: requires(), concurrency: 2 };

describe("a fault of a plugin is logged and counted:", options, () => {
  it("what a handler throws, with the event and the place", async (t) => {
    const { machine } = await withHandler(t, `throw new TypeError("thrown")`);
    await machine.says(
      /^error: one: newLocalAddress failed: TypeError: thrown \(at .*newLocalAddress \(\S+\/one\.js:7:\d+\)\); fault 1 of 10$/,
      () => trigger(machine, 1),
    );
    await machine.says(/; fault 2 of 10$/, () => trigger(machine, 2));
  });

  it("what the promise of a handler rejects with", async (t) => {
    const { machine } = await withHandler(t, `return Promise.resolve().then(() => { throw "a word" })`);
    await machine.says(/^error: one: newLocalAddress failed: 'a word'; fault 1 of 10$/, () =>
      trigger(machine, 1),
    );
  });

  it("what is thrown in a timer of pm.after", async (t) => {
    const { machine } = await withHandler(t, `pm.after(1, () => { throw new Error("late") })`);
    await machine.says(
      /^error: one: timer failed: Error: late \(at \S+\/one\.js:7:\d+\); fault 1 of 10$/,
      () => trigger(machine, 1),
    );
  });

  it("a rejection that nobody has in hand, wherever it is from", async (t) => {
    const { machine } = await withHandler(t, `setTimeout(() => Promise.reject(new Error("stray")), 1)`);
    await machine.says(
      /^error: one: a promise failed: Error: stray \(at .*\/one\.js:7:\d+\)+; fault 1 of 10$/,
      () => trigger(machine, 1),
    );
    await machine.says(/; fault 2 of 10$/, () => trigger(machine, 2));
    assert.doesNotMatch(machine.daemon.output, /thread/);
  });

  it("but not what commands are refused with, whoever has that in hand", async (t) => {
    const refused = "pm.limits.set({ subflows: 1000, addAddrAccepted: 0 })";
    for (const body of [`return ${refused}`, `void ${refused}`, `setTimeout(() => ${refused})`]) {
      const { machine } = await withHandler(t, body);
      await machine.says(
        /^warning: (one: (newLocalAddress|a promise): )?cannot set limits to subflows 1000.*limit greater than maximum/,
        () => trigger(machine, 1),
      );
      assert.doesNotMatch(machine.daemon.output, /fault/);
      await machine.stop();
    }
  });

  it("a setup that throws, or does not end", async (t) => {
    for (const [setup, message] of [
      [
        'throw new Error("no")',
        /^error: one: setup failed: Error: no \(at .*\/one\.js:\d+:\d+\)+; fault 1 of 10$/,
      ],
      [
        "return new Promise(() => {})",
        /^error: one: setup failed: Error: was not done in 10000 ms.*; fault 1 of 10$/,
      ],
    ] as const) {
      const { machine, plugins } = await withPlugins(t, {
        "one.js": `import { definePathManager } from "mptcpd";
          export default definePathManager({ name: "one", setup(pm) { ${setup} } });`,
      });
      const daemon = machine.launch({ config: plugins.config("path-manager=one") });
      await daemon.waitForLine(message, { deadlineMs: 15_000 });
      await daemon.waitForLine(/^error: one: stopped, as it could not be set up$/);
      await daemon.waitForLine(/^notice: ready$/);
      await machine.eventually("addr_adv in charge", async () =>
        assert.equal(await machine.host.sysctl("net.mptcp.pm_type"), "0"),
      );
      await machine.has("10.0.0.1 eth0 subflow");
      await machine.stop();
    }
  });
});

describe("a setup that does not end", options, () => {
  const slow = `import { definePathManager } from "mptcpd";
    export default definePathManager({ name: "slow", priority: -9, setup: () => new Promise(() => {}) });`;
  const wired = `import { definePathManager } from "mptcpd";
    export default definePathManager({
      name: "wired",
      endpoints: ({ addresses }) => addresses.map((address) => ({ address, flags: ["backup", "subflow"] })),
    });`;
  for (const [what, files, flags] of [
    ["of mptcpd itself", { "slow.js": slow }, "subflow"],
    ["of another path manager", { "slow.js": slow, "wired.js": wired }, "subflow,backup"],
  ] as const)
    it(`does not hold up the endpoints ${what}`, async (t) => {
      const { machine, plugins } = await withPlugins(t, files);
      const daemon = machine.launch({ config: plugins.config() });
      await daemon.waitForLine(/^notice: net\.mptcp\.path_manager is userspace/, { deadlineMs: 15_000 });
      await machine.has(`10.0.0.1 eth0 ${flags}`);
      assert.ok(!daemon.lines.includes("notice: ready"));
      await daemon.waitForLine(/^error: slow: setup failed: .* was not done in 10000 ms/, {
        deadlineMs: 15_000,
      });
      await machine.stop();
    });
});

describe("a plugin with too many faults", options, () => {
  it("is stopped, and the next takes over its connections", async (t) => {
    const managed = await ManagedHost.create(t, "client");
    const { machine, clientPeer } = managed;
    const plugins = new PluginDirectory(machine.lab, {
      "one.js": plugin(
        "one",
        `connectionClosed() { throw new Error("always"); },
         connectionEstablished({ token }) { pm.log.notice("has " + token); }`,
        "priority: -1,",
      ),
      "two.js": plugin(
        "two",
        `connectionEstablished({ token }) { pm.log.notice("has " + token); },
         connectionClosed({ token }) { pm.log.notice("lost " + token); }`,
      ),
    });
    await machine.start({ config: plugins.config("plugin-faults=2") });
    const port = await managed.serverPeer.listen({ address: "0.0.0.0", port: 0 });
    const [kept, ...gone] = await clientPeer.connectMany({ address: "10.0.1.1", port, count: 3 });
    assert.ok(kept);
    await machine.daemon.waitForLine(new RegExp(`^notice: one: has ${kept.token}$`));
    for (const socket of gone) await clientPeer.close(socket);
    await machine.daemon.waitForLine(/^error: one: stopped after too many faults$/);
    await machine.daemon.waitForLine(new RegExp(`^notice: two: has ${kept.token}$`));
    assert.deepEqual(
      machine.daemon.lines.filter((line) => line.startsWith("notice: two: ")),
      [`notice: two: has ${kept.token}`],
    );
    await clientPeer.close(kept);
    await machine.daemon.waitForLine(new RegExp(`^notice: two: lost ${kept.token}$`));
    assert.match(machine.daemon.output, /fault 2 of 2/);
    assert.doesNotMatch(machine.daemon.output, /fault 3/);
  });

  it("has a new chance when its file has changed", async (t) => {
    const { machine, plugins } = await withHandler(t, `throw new Error("once")`, "plugin-faults=1");
    await machine.says(/^error: one: stopped after too many faults$/, () => trigger(machine, 1));
    plugins.write("one.js", plugin("one", `newLocalAddress() { pm.log.notice("works") }`));
    await machine.says(/^notice: one: works$/, () => machine.reload());
  });
});

describe("a plugin that takes its time", options, () => {
  it("is named with the event, once a minute", async (t) => {
    const { machine } = await withHandler(t, "const end = Date.now() + 300; while (Date.now() < end);");
    await trigger(machine, 1);
    await machine.daemon.waitForLine(
      /^warning: one: newLocalAddress took \d{3,} ms, in which no other event was handled$/,
    );
    await trigger(machine, 2);
    await machine.settled();
    assert.equal(machine.daemon.lines.filter((line) => slowHandler.test(line)).length, 1);
  });

  it("in libuv's pool does not hold up the endpoints", async (t) => {
    const { machine, plugins } = await withPlugins(t, {});
    const fifo = machine.lab.freshPath("fifo");
    await machine.host.run("mkfifo", fifo);
    plugins.write(
      "one.js",
      `import { open } from "node:fs";
       ${plugin("one", `newLocalAddress() { for (let i = 0; i < 8; i++) open("${fifo}", "r", () => {}) }`)}`,
    );
    await machine.start({ config: plugins.config("path-manager=one") });
    await machine.ip("addr add 10.0.0.2/24 dev eth0");
    await machine.has("10.0.0.1 eth0 subflow", "10.0.0.2 eth0 subflow");
    await machine.ip("addr del 10.0.0.2/24 dev eth0");
    await machine.has("10.0.0.1 eth0 subflow");
    await machine.stop();
  });
});

describe("a plugin with much under way", options, () => {
  it("is no reason for a warning", async (t) => {
    const { machine } = await withHandler(t, "for (let i = 0; i < 100; i++) pm.after(60_000, () => {})");
    await trigger(machine, 1);
    await machine.has("10.0.0.1 eth0 subflow", "10.0.9.1 eth0 subflow");
    await machine.settled();
    assert.doesNotMatch(machine.daemon.output, /Warning/);
  });
});

describe("what a plugin prints", options, () => {
  it("goes to the log, line by line, from stdout and stderr", async (t) => {
    const { machine } = await withHandler(t, `console.log("a\\nb"); console.error("c")`);
    await trigger(machine, 1);
    for (const letter of ["a", "b", "c"])
      await machine.daemon.waitForLine(new RegExp(`^info: a plugin wrote: ${letter}$`));
  });

  for (const [what, redirect] of [
    ["has no reader any more", 'true <"$0" & exec "$@" >"$0"'],
    ["is full", 'exec 3<>"$0" && exec "$@" >"$0"'],
  ] as const)
    it(`does no harm where mptcpd's own output ${what}`, async (t) => {
      const { machine, plugins } = await withPlugins(t, {
        "one.js": plugin("one", `newLocalAddress() { console.log("x".repeat(50) + "\\n".repeat(100_000)) }`),
      });
      const fifo = machine.lab.freshPath("fifo");
      await machine.host.run("mkfifo", fifo);
      await machine.start({
        config: plugins.config("path-manager=one"),
        command: ["sh", "-c", redirect, fifo, ...program],
      });
      await machine.daemon.waitForLine(/^info: a plugin wrote: x+$/);
      await machine.ip("addr add 10.0.0.2/24 dev eth0");
      await machine.has("10.0.0.1 eth0 subflow", "10.0.0.2 eth0 subflow");
      await machine.stop();
    });
});

describe("what writes without end", options, () => {
  const flood = (call: string) =>
    plugin(
      "one",
      `newLocalAddress() {
        const go = () => { for (const end = Date.now() + 90; Date.now() < end; ) ${call}; pm.after(1, go); };
        pm.after(1, go);
      }`,
    );
  const script = (text: string) => `#!/bin/sh\n${text}\n`;
  const floods: readonly (readonly [string, string, string])[] = [
    ["into the log", "one.js", flood('pm.log.info("x".repeat(1000))')],
    ["to standard output", "one.js", flood('console.log("x".repeat(1000))')],
    ["complaints of a program", "program", script("exec yes 1>&2")],
    ["commands of a program", "program", script("exec 3<&0; cat <&3 >/dev/null & exec yes {}")],
  ];
  for (const [what, name, text] of floods)
    it(`${what} holds up neither the endpoints nor the end, and takes little memory`, async (t) => {
      const { machine, plugins } = await withPlugins(t, {});
      const path = plugins.write(name, text, 0o755);
      const section = name === "program" ? `[plugin one]\nexec=${path}` : "";
      const daemon = await machine.start({ config: plugins.config("path-manager=one", section) });
      for (let i = 2; i < 6; i++) {
        await machine.ip(`addr add 10.0.0.${i}/24 dev eth0`);
        // What lets a queue grow takes far longer.
        await waitFor("an endpoint", () => machine.host.endpoints(), {
          until: (endpoints) => endpoints.some(({ address }) => address === `10.0.0.${i}`),
          deadlineMs: 5000 * slowness,
        });
      }
      await daemon.waitForLine(
        /^warning: .* lines \((info|warning)\) are left out: of more than 2000 in 10 s$/,
        {
          deadlineMs: 15_000,
        },
      );
      const [, size] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.pid}/status`, "utf8")) ?? [];
      assert.ok(Number(size) < 400 * 1024, `${size} KiB`);
      assert.ok(!/blocked|started again/.test(daemon.output));
      await machine.stop();
    });
});

/** The trigger of a handler. */
async function trigger(machine: Machine, number: number): Promise<void> {
  await machine.host.ipBatchTry([`addr add 10.0.9.${number}/24 dev eth0`]);
}

/** A running mptcpd with a plugin that does something at each address of 10.0.9.0/24 that comes. */
async function withHandler(
  t: Closer,
  body: string,
  core = "",
): Promise<{ machine: Machine; plugins: PluginDirectory }> {
  const handler = `newLocalAddress({ address }) {
        if (!address.startsWith("10.0.9.")) return undefined;
        ${body}
      }`;
  const { machine, plugins } = await withPlugins(t, { "one.js": plugin("one", handler) });
  await machine.start({ config: plugins.config(`path-manager=one\n${core}`) });
  return { machine, plugins };
}
