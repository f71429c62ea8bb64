import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { type BootedSystem, bootedSystem, bootedSystemProblem } from "../lab/booted-system.ts";
import { installMptcpd } from "../lab/installation.ts";
import { plugin } from "../lab/plugin-directory.ts";
import {
  addUplink,
  configFile,
  configure,
  endpoints,
  journal,
  logged,
  mainPid,
  property,
  reset,
  start,
  unit,
} from "./service.ts";
import { write } from "./units.ts";

const plugins = "/usr/lib/mptcpd/plugins";
const instance = "mptcpd@blue.service";

describe("a reload of mptcp.service", { skip: await bootedSystemProblem() }, () => {
  let system: BootedSystem;
  before(async () => {
    system = await bootedSystem();
    await installMptcpd(system);
    await addUplink(system, "up1", "10.1.0.1/24");
  });
  beforeEach(async () => {
    await system.run("sh", "-c", `rm --force ${plugins}/*`);
    await reset(system);
    await system.run("chmod", "644", configFile);
  });
  after(() => system.close());

  it("has its effect when systemctl comes back, and the status says since when", async () => {
    await start(system);
    await system.run("ip", "address", "replace", "10.9.0.1/24", "dev", "up1");
    await configure(system, "[core]\naddr-flags=subflow,backup\n");
    await system.run("systemctl", "reload", unit);
    assert.ok((await endpoints(system)).every((line) => line.includes(" backup ")));
    assert.match(
      await property(system, "StatusText"),
      /^\/etc\/mptcpd\/mptcpd\.conf in force since [-\d]+ [:\d]+ \S+; \d endpoints?, 1 uplink; path manager: addr_adv$/,
    );
    await system.run("ip", "address", "delete", "10.9.0.1/24", "dev", "up1");
  });

  it("fails where the configuration is wrong: systemctl, the journal and the status say so", async () => {
    await start(system);
    await configure(system, "[core]\naddr-flags=backup,nonsense\n");
    await isRefused(/mptcpd\.conf:2: .*nonsense/);
    assert.match(
      await property(system, "StatusText"),
      /; the last reload \(.*\) was refused: .*:2: .*nonsense/,
    );
    await configure(system, "");
    await system.run("systemctl", "reload", unit);
    assert.doesNotMatch(await property(system, "StatusText"), /refused/);
  });

  it("fails where a path manager throws in setup, and the one before works on", async () => {
    const text = plugin("mine", 'newInterface: ({ name }) => pm.log.notice("sees " + name)');
    await write(system, { [`${plugins}/mine.js`]: text });
    await configure(system, "[core]\npath-manager=mine\n");
    await start(system);
    const broken = text.replace(
      "setup: (pm) => (",
      'setup: (pm) => { throw new Error("no modem"); }, more: (pm) => (',
    );
    await write(system, { [`${plugins}/mine.js`]: broken });
    await isRefused(/mine: setup failed: Error: no modem/);
    await addUplink(system, "extra", "10.2.0.1/24");
    await logged(system, /^mine: sees extra$/);
    await system.run("ip", "link", "delete", "extra");
  });

  it("fails where mptcpd's user cannot read the configuration, and `mptcpd --check` finds that before", async () => {
    await start(system);
    await system.run("chmod", "600", configFile);
    const check = await system.outcome("/usr/libexec/mptcpd", "--check");
    assert.equal(check.code, 1, check.stderr);
    assert.match(
      check.stderr,
      /^mptcpd: \/etc\/mptcpd\/mptcpd\.conf: the running mptcpd \(pid \d+, user \d+\) cannot read it; /,
    );
    await isRefused(/mptcpd\.conf: cannot be read: permission denied/);
    await system.run("systemctl", "stop", unit);
    const stopped = await system.outcome("/usr/libexec/mptcpd", "--check");
    assert.equal(stopped.code, 0);
    assert.match(stopped.stderr, /^\/etc\/mptcpd\/mptcpd\.conf: others cannot read it, /);
  });

  it("is foreseen by `mptcpd --check` for a plugin that mptcpd's user cannot read, or see", async () => {
    await write(system, { [`${plugins}/mine.js`]: plugin("mine", "") });
    await configure(system, "[core]\npath-manager=mine\n");
    await start(system);
    assert.equal((await system.outcome("/usr/libexec/mptcpd", "--check")).code, 0);
    await system.run("chmod", "600", `${plugins}/mine.js`);
    const unreadable = await system.outcome("/usr/libexec/mptcpd", "--check");
    assert.equal(unreadable.code, 1);
    assert.match(unreadable.stderr, /plugins\/mine\.js: the running mptcpd .* cannot read it/);
    // The sandbox hides it (ProtectHome=), whatever its mode is.
    await write(system, { "/root/plugins/mine.js": plugin("mine", "") });
    await system.run("chmod", "a+rx", "/root", "/root/plugins");
    await configure(system, "[core]\npath-manager=mine\nplugin-dir=/root/plugins\n");
    const hidden = await system.outcome("/usr/libexec/mptcpd", "--check");
    assert.equal(hidden.code, 1);
    assert.match(hidden.stderr, /\/root\/plugins\/mine\.js: the running mptcpd .* cannot read it/);
  });

  it("gives each of several at once its verdict, and mptcpd goes on as before", async () => {
    await start(system);
    const pid = await mainPid(system);
    const reload = (): Promise<{ code: unknown }> =>
      system.outcome(
        "systemd-run",
        "--quiet",
        "--wait",
        "--pipe",
        `--property=User=root`,
        "/usr/libexec/mptcpd",
        "--reload",
      );
    const good = await Promise.all([reload(), reload(), reload()]);
    assert.deepEqual(
      good.map(({ code }) => code),
      [0, 0, 0],
    );
    await configure(system, "[core]\non-stop=never\n");
    const bad = await Promise.all([reload(), reload(), reload()]);
    assert.deepEqual(
      bad.map(({ code }) => code),
      [1, 1, 1],
    );
    assert.equal(await mainPid(system), pid);
  });

  it("is done by a plain SIGHUP, too", async () => {
    await start(system);
    await configure(system, "[core]\naddr-flags=subflow,backup\n");
    await system.run("kill", "-HUP", await mainPid(system));
    await waitFor("the endpoint to be a backup", () => endpoints(system), {
      until: (lines) => lines.length === 1 && lines.every((line) => line.includes(" backup ")),
    });
  });

  it("works after somebody has cleaned up in the runtime directory", async () => {
    await start(system);
    await system.run("sh", "-c", "rm --force /run/mptcpd/*.reload");
    await system.run("systemctl", "reload", unit);
    await configure(system, "[core]\non-stop=never\n");
    await system.run("sh", "-c", "rm --force /run/mptcpd/*.reload");
    await isRefused(/on-stop/);
  });

  it("is one of its own for each instance", async (t) => {
    await system.run("ip", "netns", "add", "blue");
    t.after(async () => {
      await system.run("systemctl", "stop", instance);
      await system.run("rm", "--recursive", "--force", "/etc/netns/blue");
      await system.run("ip", "netns", "delete", "blue");
    });
    await write(system, { "/etc/netns/blue/mptcpd/mptcpd.conf": "" });
    await start(system);
    await system.run("systemctl", "start", instance);
    await system.run("systemctl", "reload", unit, instance);
    await write(system, { "/etc/netns/blue/mptcpd/mptcpd.conf": "[core]\non-stop=never\n" });
    assert.notEqual((await system.outcome("systemctl", "reload", instance)).code, 0);
    await system.run("systemctl", "reload", unit);
    const { code } = await system.outcome("ip", "netns", "exec", "blue", "/usr/libexec/mptcpd", "--reload");
    assert.equal(code, 1, "root finds the runtime directory of the instance");
    await write(system, { "/etc/netns/blue/mptcpd/mptcpd.conf": "" });
    await system.run("ip", "netns", "exec", "blue", "/usr/libexec/mptcpd", "--reload");
  });

  /** By systemctl, with a reason that mptcpd logs and ExecReload= prints. */
  async function isRefused(reason: RegExp): Promise<void> {
    const [pid, before] = [await mainPid(system), await endpoints(system)];
    const { code, stderr } = await system.outcome("systemctl", "reload", unit);
    assert.notEqual(code, 0);
    assert.match(stderr, /Job for mptcp\.service failed/);
    const said = (await journal(system)).filter((line) => reason.test(line));
    assert.ok(said.length >= 2, `${said.length} lines like ${reason}`);
    assert.ok(
      said.some((line) => line.startsWith("mptcpd: ")),
      "ExecReload= prints it",
    );
    assert.equal(await property(system, "ActiveState"), "active");
    assert.equal(await mainPid(system), pid);
    assert.deepEqual(await endpoints(system), before);
  }
});
