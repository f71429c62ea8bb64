import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { atOnce, Machine } from "../lab/machine.ts";
import { ctl, outcome } from "../lab/mptcpctl.ts";

const withPathManager = `${atOnce}path-manager=fullmesh\n`;

describe("a runtime directory that cannot be written", { skip: requires() }, () => {
  describe("because it is full", () => {
    it("keeps neither a start nor new endpoints nor a reload back, and is written when there is room", async (t) => {
      const { machine, fill } = await onSmallDisk(t);
      fill();
      await machine.start();
      await machine.has("10.0.0.1 eth0 subflow");
      await machine.ip("addr add 10.0.0.2/24 dev eth0");
      await machine.has("10.0.0.1 eth0 subflow", "10.0.0.2 eth0 subflow");
      await machine.reload(withPathManager);
      await machine.daemon.waitForLine(/^notice: configuration reloaded$/);
      saysOnce(
        machine,
        /^warning: cannot write \S*ledger\.json: ENOSPC.*made from now on are mptcpd's; trying again until it works$/,
      );
      await machine.says(/^notice: \S*ledger\.json is up to date again$/, () =>
        rmSync(join(machine.runtimeDirectory, "filler")),
      );
      await machine.daemon.kill();
      await machine.start({ config: atOnce });
      await machine.ip("addr del 10.0.0.2/24 dev eth0");
      await machine.has("10.0.0.1 eth0 subflow");
      await machine.stop();
    });

    it("does not keep it from a clean stop, with path managers and on-stop=remove", async (t) => {
      const { machine, fill } = await onSmallDisk(t);
      await machine.start({ config: `${withPathManager}on-stop=remove\n` });
      fill();
      await machine.ip("addr add 10.0.0.2/24 dev eth0");
      await machine.reload();
      await machine.stop();
      assert.deepEqual(await machine.show(), []);
    });

    it("makes mptcpctl adopt fail with the reason, in one line", async (t) => {
      const { machine, fill } = await onSmallDisk(t);
      await machine.start();
      await machine.stop();
      await machine.ip("mptcp endpoint add 192.0.2.1 signal");
      fill();
      const { code, stderr } = await outcome(
        ctl(machine.host, `adopt --all --runtime-dir ${machine.runtimeDirectory}`),
      );
      assert.equal(code, 1);
      assert.match(stderr, /^mptcpctl: cannot write \S+: ENOSPC[^\n]*\n$/);
    });
  });

  it("because it became read-only is one warning, and nothing else stops", async (t) => {
    const { machine } = await onSmallDisk(t);
    await machine.start();
    coverReadOnly(machine);
    await machine.ip("addr add 10.0.0.2/24 dev eth0");
    await machine.has("10.0.0.1 eth0 subflow", "10.0.0.2 eth0 subflow");
    await machine.reload(withPathManager);
    saysOnce(machine, /^warning: cannot write \S*\.wanted: EROFS/);
    // Its file is open already.
    const [ledger = ""] = readdirSync(machine.runtimeDirectory).filter((name) =>
      name.endsWith(".ledger.json"),
    );
    assert.match(readFileSync(join(machine.runtimeDirectory, ledger), "utf8"), /"10\.0\.0\.2"/);
    await machine.stop();
  });

  it("because it is read-only does not keep mptcpd from starting", async (t) => {
    const { machine } = await onSmallDisk(t);
    coverReadOnly(machine);
    await machine.start({ config: withPathManager });
    await machine.ip("addr add 10.0.0.2/24 dev eth0");
    await machine.reload(atOnce);
    await machine.has("10.0.0.1 eth0 subflow", "10.0.0.2 eth0 subflow");
    await machine.stop();
  });

  it("in part, as a directory has the name of a file, keeps nothing back, whichever file it is", async (t) => {
    const sample = await Machine.create(t);
    await sample.start({ config: withPathManager });
    const files = readdirSync(sample.runtimeDirectory);
    const [ledger = ""] = files.filter((name) => name.endsWith(".ledger.json"));
    assert.ok(files.length >= 4, files.join(" "));
    await sample.stop();
    for (const name of [
      ...files,
      ledger.replace("ledger", "adopt"),
      ledger.replace("ledger.json", "refused"),
    ]) {
      const path = join(sample.runtimeDirectory, name);
      rmSync(path, { force: true });
      mkdirSync(path);
      await sample.ip("mptcp endpoint flush");
      await sample.start({ config: withPathManager });
      await sample.has("10.0.0.1 eth0 subflow");
      await sample.stop();
      assert.ok(
        sample.problems.some((line) => line.includes(name)),
        `${name}: ${sample.daemon.output}`,
      );
      rmdirSync(path);
    }
  });
});

function saysOnce({ daemon }: Machine, pattern: RegExp): void {
  assert.equal(daemon.lines.filter((line) => pattern.test(line)).length, 1, daemon.output);
}

/** A machine whose runtime directory is a file system of its own, of 64 KiB. */
async function onSmallDisk(t: TestContext) {
  const closers: (() => Promise<void>)[] = [];
  const machine = await Machine.create({ after: (close) => void closers.push(close) });
  const { runtimeDirectory } = machine;
  mkdirSync(runtimeDirectory);
  mount("-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", runtimeDirectory);
  t.after(async () => {
    // Before the lab removes its directory.
    while (mounted(runtimeDirectory)) execFileSync("umount", ["--lazy", runtimeDirectory]);
    for (const close of closers) await close();
  });
  const fill = (): void => {
    assert.throws(() => writeFileSync(join(runtimeDirectory, "filler"), "x".repeat(200_000)), {
      code: "ENOSPC",
    });
  };
  return { machine, fill };
}

/** What has files open there cannot be made read-only; another mount over it can. */
function coverReadOnly({ runtimeDirectory }: Machine): void {
  mount("--bind", runtimeDirectory, runtimeDirectory);
  mount("-o", "remount,bind,ro", runtimeDirectory);
}

function mounted(directory: string): boolean {
  return readFileSync("/proc/self/mountinfo", "utf8").includes(` ${directory} `);
}

function mount(...words: readonly string[]): void {
  execFileSync("mount", words);
}
