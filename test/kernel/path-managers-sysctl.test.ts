import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import type { Host } from "../../src/lab/kit/host.ts";
import type { Closer } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { Machine, program } from "../lab/machine.ts";
import { PluginDirectory, plugin } from "../lab/plugin-directory.ts";

describe("the kernel's path manager", { skip: requires(), concurrency: 2 }, () => {
  it("is the userspace one while a plugin is in charge that gives commands, and comes back at the stop", async (t) => {
    const { machine, config } = await withUserspace(t);
    await machine.start({ config });
    assert.deepEqual(await managerOf(machine.host), userspace);
    assert.ok(
      machine.daemon.lines.includes("notice: net.mptcp.path_manager is userspace for new connections"),
    );
    await machine.stop();
    assert.deepEqual(await managerOf(machine.host), kernel);
    assert.ok(machine.daemon.lines.includes("notice: net.mptcp.path_manager is kernel again"));
  });

  it("comes back after a kill, a restart and a stop", async (t) => {
    const { machine, config } = await withUserspace(t);
    await machine.start({ config });
    await machine.daemon.kill();
    assert.deepEqual(await managerOf(machine.host), userspace, "path managers are about to be back");
    await machine.start({ config });
    await machine.stop();
    assert.deepEqual(await managerOf(machine.host), kernel);
  });

  it("comes back after a kill, and a start without such plugins", async (t) => {
    const { machine, config } = await withUserspace(t);
    await machine.start({ config });
    await machine.daemon.kill();
    await machine.start();
    assert.deepEqual(await managerOf(machine.host), kernel);
    await machine.stop();
    assert.deepEqual(await managerOf(machine.host), kernel);
  });

  it("comes back when a start fails", async (t) => {
    const { machine, config } = await withUserspace(t);
    await machine.start({ config });
    await machine.daemon.kill();
    const { code } = await machine.runToEnd({
      config: config.replace("path-manager=one", "path-manager=won"),
    });
    assert.equal(code, 1);
    assert.deepEqual(await managerOf(machine.host), kernel);
  });

  it("that cannot be set lets the start fail, and says how to go on", async (t) => {
    const { machine, config } = await withUserspace(t);
    const readOnly = 'mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec "$@"';
    const { code, lines } = await machine.runToEnd({
      config,
      command: ["unshare", "--mount", "sh", "-c", readOnly, "sh", ...program],
    });
    assert.equal(code, 1);
    assert.match(
      lines.at(-1) ?? "",
      /^error: one needs the kernel's userspace path manager: cannot set net\.mptcp\.\w+: .*; set it by hand, with kernel-path-manager=keep in the configuration$/,
    );
    assert.deepEqual(await managerOf(machine.host), kernel);
  });

  it("is left alone with kernel-path-manager=keep, and a warning says what that means", async (t) => {
    const { machine, plugins } = await withUserspace(t);
    await machine.start({ config: plugins.config("path-manager=one\nkernel-path-manager=keep") });
    assert.deepEqual(await managerOf(machine.host), kernel);
    await machine.daemon.waitForLine(
      /^warning: net\.mptcp\.path_manager is kernel: the path managers have no hand in new connections until it is userspace$/,
    );
    await machine.host.sysctl("net.mptcp.pm_type", 1);
    await machine.says(/^notice: net\.mptcp\.path_manager is userspace$/, () => machine.reload());
    await machine.stop();
    assert.deepEqual(await managerOf(machine.host), userspace);
  });

  it("that somebody else changes is set again, with a warning", async (t) => {
    const { machine, config } = await withUserspace(t);
    await machine.start({ config });
    await machine.host.sysctl("net.mptcp.pm_type", 0);
    await machine.says(/^warning: net\.mptcp\.path_manager was changed to kernel by somebody else/, () =>
      machine.reload(),
    );
    assert.deepEqual(await managerOf(machine.host), userspace);
    await machine.stop();
    assert.deepEqual(await managerOf(machine.host), kernel);
  });

  it("follows when the plugin in charge is stopped after too many faults", async (t) => {
    const { machine, plugins } = await withUserspace(t);
    plugins.write("one.js", plugin("one", `newLocalAddress() { throw new Error("always") }`));
    await machine.start({ config: plugins.config("path-manager=one\nplugin-faults=2") });
    assert.deepEqual(await managerOf(machine.host), userspace);
    await machine.says(/^error: one: stopped after too many faults$/, () =>
      machine.ip("addr add 10.0.0.2/24 dev eth0"),
    );
    await machine.eventually("the kernel's own", async () =>
      assert.deepEqual(await managerOf(machine.host), kernel),
    );
  });
});

const hasNames = existsSync("/proc/sys/net/mptcp/path_manager");
/** By number and, since Linux 6.15, by name. */
const kernel = hasNames ? ["0", "kernel"] : ["0"];
const userspace = hasNames ? ["1", "userspace"] : ["1"];

async function managerOf(host: Host): Promise<string[]> {
  const names = ["net.mptcp.pm_type", ...(hasNames ? ["net.mptcp.path_manager"] : [])];
  return await Promise.all(names.map((name) => host.sysctl(name)));
}

async function withUserspace(t: Closer) {
  const machine = await Machine.create(t);
  const plugins = new PluginDirectory(machine.lab, { "one.js": plugin("one", "newConnection() {}") });
  return { machine, plugins, config: plugins.config("path-manager=one") };
}
