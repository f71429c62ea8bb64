import assert from "node:assert/strict";
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { within } from "../../src/lab/kit/wait.ts";
import { atOnce, Machine } from "../lab/machine.ts";
import { families, ManagedHost } from "../lab/managed-host.ts";
import { ctl } from "../lab/mptcpctl.ts";
import { askToReload, inForce } from "../lab/reload-command.ts";

const options = { skip: requires(), concurrency: 2 };

describe("a runtime directory that somebody has emptied", options, () => {
  for (const [what, empty] of [
    ["emptied", emptyDirectory],
    ["removed", ({ runtimeDirectory }: Machine) => rmSync(runtimeDirectory, { recursive: true })],
    [
      "removed and made again",
      ({ runtimeDirectory }: Machine) => {
        rmSync(runtimeDirectory, { recursive: true });
        mkdirSync(runtimeDirectory, { mode: 0o755 });
      },
    ],
  ] as const)
    it(`has all its files again, and one mptcpd, after it was ${what}`, async (t) => {
      const machine = await Machine.create(t);
      await machine.start();
      await machine.has("10.0.0.1 eth0 subflow");
      const before = filesOf(machine);
      assert.ok(before.length >= 4, before.join());
      empty(machine);
      machine.daemon.signal("SIGUSR1");
      await machine.eventually("the files", async () => assert.deepEqual(filesOf(machine), before));
      assert.deepEqual(await askToReload(machine), inForce);
      const first = machine.daemon;
      const second = await machine.runToEnd();
      assert.equal(second.code, 1);
      assert.match(
        second.lines.at(-1) ?? "",
        new RegExp(`mptcpd with pid ${first.pid} serves this network namespace already: stop it first$`),
      );
      assert.equal(first.lines.filter((line) => /^(warning|error):/.test(line)).length, 0, first.output);
      await first.kill();
      await machine.start();
      await machine.ip("addr del 10.0.0.1/24 dev eth0");
      await machine.has();
    });

  it("is asked for a reload by systemd at once", async (t) => {
    const machine = await Machine.create(t);
    const { pid } = await machine.start();
    emptyDirectory(machine);
    assert.deepEqual(await askToReload(machine, { MAINPID: `${pid}` }), inForce);
  });

  it("and that another mptcpd uses by now is that one's: the first one ends and touches nothing", async (t) => {
    const machine = await Machine.create(t);
    const first = await machine.start({ config: `${atOnce}on-stop=remove\n` });
    await machine.has("10.0.0.1 eth0 subflow");
    emptyDirectory(machine);
    const second = await machine.start();
    await machine.ip("addr add 10.0.0.2/24 dev eth0");
    await machine.hasEndpointsAt(["10.0.0.1", "10.0.0.2"]);
    const before = await machine.show();
    first.signal("SIGUSR1");
    const { code } = await within("the first mptcpd to end", first.exited);
    assert.equal(code, 1, first.output);
    const said = first.lines.filter((line) => line.startsWith("error: "));
    assert.equal(said.length, 1, first.output);
    assert.match(
      said[0] ?? "",
      new RegExp(
        `^error: mptcpd with pid ${second.pid} serves this network namespace now, .*\`mptcpctl adopt`,
      ),
    );
    assert.deepEqual(await machine.show(), before);
    assert.deepEqual(await askToReload(machine), inForce);
    assert.ok(filesOf(machine).some((name) => name.endsWith(".ledger.json")));
    await ctl(machine.host, `adopt --all --runtime-dir ${machine.runtimeDirectory}`);
    await machine.ip("addr flush dev eth0");
    await machine.has();
  });

  it("and that another mptcpd uses by now is not touched by a stop", async (t) => {
    const machine = await Machine.create(t);
    const first = await machine.start({ config: `${atOnce}on-stop=remove\n` });
    emptyDirectory(machine);
    await machine.start();
    const [files, before] = [filesOf(machine), await machine.show()];
    assert.deepEqual(await first.stop(), { code: 0, signal: null });
    assert.deepEqual([filesOf(machine), await machine.show()], [files, before]);
    assert.deepEqual(await askToReload(machine), inForce);
  });

  it("and that another mptcpd uses by now has that one's record of connections", async (t) => {
    const managed = await ManagedHost.create(t, "client");
    const { machine, puppet } = managed;
    const first = await machine.start({ config: puppet.config });
    const [family] = families;
    await managed.connect(family);
    emptyDirectory(machine);
    await machine.start({ config: puppet.config });
    const record = join(
      machine.runtimeDirectory,
      filesOf(machine).find((name) => name.endsWith(".connections")) ?? "",
    );
    const { ino } = statSync(record);
    for (let round = 0; round < 3; round++) {
      const { token } = await managed.connect(family);
      // The first one has heard of it, too.
      await first.waitForLine(new RegExp(`connectionEstablished.*\\b${token}\\b`));
    }
    assert.equal(statSync(record).ino, ino);
  });

  it("keeps what mptcpctl adopt has recorded there meanwhile", async (t) => {
    const machine = await Machine.create(t);
    await machine.ip("mptcp endpoint add 10.0.0.9 id 7 dev eth0 subflow");
    await machine.start();
    emptyDirectory(machine);
    await ctl(machine.host, `adopt 10.0.0.9 --runtime-dir ${machine.runtimeDirectory}`);
    machine.daemon.signal("SIGUSR1");
    await machine.has("10.0.0.1 eth0 subflow");
    await machine.daemon.kill();
    await machine.start();
    await machine.ip("addr del 10.0.0.1/24 dev eth0");
    await machine.has();
  });
});

function emptyDirectory({ runtimeDirectory }: Machine): void {
  for (const name of filesOf({ runtimeDirectory })) rmSync(join(runtimeDirectory, name));
}

function filesOf({ runtimeDirectory }: Pick<Machine, "runtimeDirectory">): string[] {
  try {
    return readdirSync(runtimeDirectory).toSorted();
  } catch {
    return [];
  }
}
