import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { slowness, waitFor } from "../../src/lab/kit/wait.ts";
import { type BootedSystem, bootedSystem, bootedSystemProblem } from "../lab/booted-system.ts";
import { installMptcpd } from "../lab/installation.ts";
import {
  addUplink,
  configFile,
  configure,
  dropIn,
  endpointAddresses,
  endpoints,
  journal,
  logged,
  mainPid,
  property,
  reloadAsBackups,
  reset,
  restartDeadlineMs,
  start,
  unit,
  waitForRestart,
} from "./service.ts";

describe("mptcp.service", { skip: await bootedSystemProblem() }, () => {
  let system: BootedSystem;
  before(async () => {
    system = await bootedSystem();
    await installMptcpd(system);
    await addUplink(system, "up1", "10.1.0.1/24");
    await addUplink(system, "up2", "10.2.0.1/24");
  });
  beforeEach(() => reset(system));
  after(() => system.close());

  it("is active when the addresses of two links are endpoints", async () => {
    await start(system);
    assert.deepEqual(await endpointAddresses(system), ["10.1.0.1", "10.2.0.1"]);
    const { code, stdout } = await system.outcome("systemctl", "status", unit);
    assert.equal(code, 0);
    assert.match(stdout, /Active: active \(running\)/);
    assert.equal(await property(system, "Type"), "notify");
    assert.equal(await property(system, "WatchdogUSec"), "30s");
    assert.equal(await system.run("cat", `/proc/${await mainPid(system)}/comm`), "mptcpd\n");
  });

  it("is found faultless by systemd", async () => {
    const { stderr } = await system.outcome("systemd-analyze", "verify", unit);
    // The manual is not part of what is installed here.
    const faults = stderr.split("\n").filter((line) => !line.includes("Command 'man "));
    assert.deepEqual(
      faults.filter((line) => line.includes("mptcp")),
      [],
    );
  });

  it("takes a changed configuration into force at a reload, without a restart", async () => {
    await start(system);
    const pid = await mainPid(system);
    await reloadAsBackups(system);
    assert.equal(await mainPid(system), pid);
  });

  it("fails a reload with a configuration that is wrong, says why, and goes on with the old one", async () => {
    await start(system);
    const before = await endpoints(system);
    await configure(system, "[core]\naddr-flags=backup,nonsense\n");
    const { code } = await system.outcome("systemctl", "reload", unit);
    assert.notEqual(code, 0);
    await logged(system, /mptcpd\.conf:2: .*nonsense/);
    assert.equal(await property(system, "ActiveState"), "active");
    assert.deepEqual(await endpoints(system), before);
  });

  it("keeps endpoints over a restart: none is deleted and none added", async () => {
    await start(system);
    const [before, pid] = [await endpoints(system), await mainPid(system)];
    await system.run("systemctl", "restart", unit);
    assert.notEqual(await mainPid(system), pid);
    assert.deepEqual(await endpoints(system), before);
    assert.deepEqual(await changes(), []);
  });

  it("keeps endpoints when it is stopped, and knows them at the next start", async () => {
    await start(system);
    const before = await endpoints(system);
    await system.run("systemctl", "stop", unit);
    assert.deepEqual(await endpoints(system), before);
    await configure(system, "[core]\naddr-flags=subflow,backup\n");
    await start(system);
    // What is somebody else's would not be changed.
    for (const line of await endpoints(system)) assert.match(line, / backup /);
  });

  it("removes them with on-stop=remove", async () => {
    await configure(system, "[core]\non-stop=remove\n");
    await start(system);
    assert.equal((await endpoints(system)).length, 2);
    await system.run("systemctl", "stop", unit);
    assert.deepEqual(await endpoints(system), []);
  });

  it("is restarted after a kill, and goes on where it was", async () => {
    await start(system);
    const [before, pid] = [await endpoints(system), await mainPid(system)];
    await system.run("kill", "-KILL", pid);
    await waitForRestart(system, pid);
    assert.deepEqual(await endpoints(system), before);
    assert.deepEqual(await changes(), []);
  });

  it("is restarted by the watchdog when it does nothing any more", async () => {
    await dropIn(system, `WatchdogSec=${4 * slowness}`);
    await start(system);
    const [before, pid] = [await endpoints(system), await mainPid(system)];
    await system.run("kill", "-STOP", pid);
    await waitForRestart(system, pid);
    assert.deepEqual(await endpoints(system), before);
    const log = () => system.run("journalctl", "--no-pager", "--output=cat", `--unit=${unit}`);
    await waitFor("the manager to say why", log, { until: (said) => said.includes("Watchdog timeout") });
  });

  it("is not found dead by the watchdog while it lives", async () => {
    // Half of it is how late mptcpd may be where the machine itself stands still.
    await dropIn(system, `WatchdogSec=${4 * slowness}`);
    await start(system);
    const pid = await mainPid(system);
    // Twice as long as the watchdog waits.
    const over = performance.now() + 8000 * slowness;
    await waitFor("the time to pass", () => performance.now() > over, { deadlineMs: 9000 * slowness });
    assert.equal(await mainPid(system), pid);
    assert.equal(await property(system, "NRestarts"), "0");
  });

  it("does not start with a configuration that is wrong, says so, and does not try again", async () => {
    await configure(system, "[core]\npath-manager\n");
    assert.notEqual((await system.outcome("systemctl", "start", unit)).code, 0);
    await failedForGood(1);
    await logged(system, /mptcpd\.conf:2: /);
  });

  it("reads a configuration that is kept from others by a group, as docs/service.md has it", async (t) => {
    t.after(() => system.outcome("groupdel", "mptcpd-conf"));
    t.after(() => system.run("chown", "root:root", configFile));
    t.after(() => system.run("chmod", "644", configFile));
    await configure(system, "[core]\naddr-flags=subflow,backup\n");
    await system.run("groupadd", "--system", "mptcpd-conf");
    await system.run("chgrp", "mptcpd-conf", configFile);
    await system.run("chmod", "640", configFile);
    assert.notEqual((await system.outcome("systemctl", "start", unit)).code, 0);
    await logged(system, /mptcpd\.conf: cannot be read: permission denied/);
    await dropIn(system, "SupplementaryGroups=mptcpd-conf");
    await start(system);
    await system.run("systemctl", "reload", unit);
    assert.ok((await endpoints(system)).every((line) => line.includes(" backup ")));
  });

  it("does not try again where MPTCP is switched off, or with an option that is none", async () => {
    await system.run("sysctl", "--quiet", "--write", "net.mptcp.enabled=0");
    try {
      assert.notEqual((await system.outcome("systemctl", "start", unit)).code, 0);
      await failedForGood(1);
      await logged(system, /net\.mptcp\.enabled=1/);
    } finally {
      await system.run("sysctl", "--quiet", "--write", "net.mptcp.enabled=1");
    }
    await dropIn(system, "ExecStart=", "ExecStart=/usr/libexec/mptcpd --nonsense");
    assert.notEqual((await system.outcome("systemctl", "start", unit)).code, 0);
    await failedForGood(64);
  });

  it("is started again when a reload comes while Node starts, which ends it", async () => {
    // In the place of Node, which cannot be met at that moment: what a signal ends that nobody handles yet.
    const first = "test -e /run/mptcpd/again || { touch /run/mptcpd/again; kill -HUP $$$$; }";
    await dropIn(
      system,
      "ExecStart=",
      `ExecStart=/bin/sh -c '${first}; exec /usr/libexec/mptcpd --log=journal'`,
    );
    await system.outcome("systemctl", "start", unit);
    await waitFor("it to be active", () => property(system, "ActiveState"), {
      until: (state) => state === "active",
      deadlineMs: restartDeadlineMs,
    });
    assert.deepEqual(await endpointAddresses(system), ["10.1.0.1", "10.2.0.1"]);
    await system.run("rm", "/run/mptcpd/again");
  });

  it("is never given up: restarts are fewer than the limit of starts", async () => {
    const [burst, interval, pause] = await Promise.all(
      ["StartLimitBurst", "StartLimitIntervalUSec", "RestartUSec"].map((name) => property(system, name)),
    );
    assert.ok(Number(burst) * seconds(pause) > seconds(interval), `${burst} in ${interval}, each ${pause}`);
  });

  it("takes over what `mptcpctl adopt` hands to it: before its first start, stopped, and running", async () => {
    const adopt = async (id: string): Promise<void> => {
      await system.run(
        "ip",
        "mptcp",
        "endpoint",
        "add",
        "10.1.0.1",
        "dev",
        "up1",
        "id",
        id,
        "subflow",
        "backup",
      );
      await system.run("mptcpctl", "adopt", "10.1.0.1");
    };
    const isOurs = (id: string): Promise<unknown> =>
      waitFor("the endpoint to be as the configuration has it", () => endpoints(system), {
        until: (found) => found.includes(`10.1.0.1 id ${id} subflow dev up1`),
      });
    await system.run("rm", "--recursive", "--force", "/run/mptcpd", "/run/private/mptcpd");
    await adopt("7");
    await start(system);
    await isOurs("7");
    await system.run("systemctl", "stop", unit);
    await system.run("ip", "mptcp", "endpoint", "flush");
    // Root makes the lock anew, for another user to open.
    await system.run("sh", "-c", "rm /run/mptcpd/*.lock");
    await adopt("8");
    await start(system);
    await isOurs("8");
    await system.run("ip", "mptcp", "endpoint", "add", "10.9.9.9", "dev", "up1", "id", "9", "subflow");
    await system.run("mptcpctl", "adopt", "10.9.9.9");
    await waitFor("mptcpd to delete what is its own and of no use", () => endpoints(system), {
      until: (found) => !found.join().includes("10.9.9.9"),
      deadlineMs: restartDeadlineMs,
    });
  });

  it("logs into the journal, by the name of mptcpd and with priorities", async () => {
    await start(system);
    await logged(system, /^ready$/);
    const said = await system.run(
      ...["journalctl", "--no-pager", "--output=verbose", `_PID=${await mainPid(system)}`],
    );
    assert.match(said, /MESSAGE=ready/);
    assert.match(said, /SYSLOG_IDENTIFIER=mptcpd/);
    assert.match(said, /PRIORITY=5/);
  });

  /** Not in the pause before another try, which is the state "auto-restart". */
  async function failedForGood(status: number): Promise<void> {
    await waitFor("the unit to have failed", () => property(system, "SubState"), {
      until: (state) => state === "failed",
      deadlineMs: restartDeadlineMs,
    });
    assert.equal(await property(system, "NRestarts"), "0");
    assert.equal(await property(system, "ExecMainStatus"), String(status));
  }

  /** The changes of endpoints that the present mptcpd has logged. */
  async function changes(): Promise<readonly string[]> {
    return (await journal(system)).filter((line) =>
      /^endpoint .*: (added|deleted|removed|changed)/.test(line),
    );
  }
});

function seconds(span = ""): number {
  return Number(/^(\d+)s$/.exec(span)?.[1]);
}
