import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { Processes } from "../../../src/kernel/processes.ts";

type FakeProcess = {
  stat?: string;
  cgroup?: string;
  environ?: string;
  maps?: string;
  /** What the links of fd/ lead to. */
  fds?: readonly string[];
};

/** A /proc of a machine that has been up for 1000 s. */
function processes(t: TestContext, table: Readonly<Record<string, FakeProcess>>): Processes {
  const proc = mkdtempSync(join(tmpdir(), "mptcpize-proc-"));
  t.after(() => rmSync(proc, { recursive: true }));
  writeFileSync(join(proc, "uptime"), "1000.00 1500.00\n");
  mkdirSync(join(proc, "sys"));
  for (const [pid, { stat = statOf(pid, "x"), cgroup = "0::/\n", fds, ...files }] of Object.entries(table)) {
    mkdirSync(join(proc, pid, "ns"), { recursive: true });
    symlinkSync("net:[4026531840]", join(proc, pid, "ns/net"));
    if (fds) mkdirSync(join(proc, pid, "fd"));
    for (const [fd, target] of (fds ?? []).entries()) symlinkSync(target, join(proc, pid, `fd/${fd}`));
    for (const [name, text] of Object.entries({ stat, cgroup, ...files }))
      writeFileSync(join(proc, pid, name), text);
  }
  return new Processes(proc);
}

/** Fields 3 to 22 of proc_pid_stat(5) as a shell has them, but for flags and start time. */
function statOf(pid: string, name: string, { flags = 4194304, start = 0 } = {}): string {
  return `${pid} (${name}) S 1 9 9 0 -1 ${flags} 0 0 0 0 0 0 0 0 20 0 1 0 ${start} 1000 5 18446744073709551615\n`;
}

describe("processes", () => {
  it("are listed by number, without the kernel's threads", (t) => {
    const proc = processes(t, {
      20: {},
      3: {},
      2: { stat: statOf("2", "kthreadd", { flags: 0x00208040 }) },
    });
    assert.deepEqual(
      proc.list().map(({ pid }) => pid),
      [3, 20],
    );
  });

  it("have the inodes of their sockets, and of their network namespace", (t) => {
    const fds = ["/dev/null", "socket:[4711]", "pipe:[9]", "socket:[4712]", "anon_inode:[eventpoll]"];
    const found = processes(t, { 7: { fds } }).find(7);
    assert.deepEqual([...(found?.sockets ?? [])], [4711, 4712]);
    assert.equal(found?.networkNamespace, 4026531840);
  });

  it("have no sockets that may not be seen, rather than none at all", (t) => {
    assert.equal(processes(t, { 7: {} }).find(7)?.sockets, undefined);
    assert.deepEqual(processes(t, { 7: { fds: [] } }).find(7)?.sockets, new Set());
  });

  it("may have names with blanks and parentheses", (t) => {
    assert.equal(processes(t, { 7: { stat: statOf("7", "a) (b c) S 1") } }).find(7)?.name, "a) (b c) S 1");
  });

  it("started when the machine was up for as many ticks", (t) => {
    const before = Date.now();
    const found = processes(t, { 7: { stat: statOf("7", "x", { start: 99_000 }) } }).find(7);
    const startedAt = found?.startedAt ?? 0;
    assert.ok(startedAt > before - 11_000 && startedAt < Date.now() - 9_000, `${startedAt}`);
  });

  it("are in the cgroup that systemd knows, of either version", (t) => {
    const cgroupOf = (cgroup: string) => processes(t, { 7: { cgroup } }).find(7)?.cgroup;
    assert.equal(cgroupOf("0::/system.slice/a:b.service\n"), "/system.slice/a:b.service", "version 2");
    assert.equal(cgroupOf("5:cpu:/x\n1:name=systemd:/a.service\n0::/\n"), "/a.service", "version 1");
    assert.equal(cgroupOf("1:name=systemd:/a.service\n0::/a.service\n"), "/a.service", "hybrid");
    assert.equal(
      cgroupOf("1:name=systemd:/\n0::/a.service\n"),
      "/a.service",
      "a container with version 2 on a hybrid host",
    );
    assert.equal(cgroupOf("0::/\n"), "/");
  });

  it("have an environment, in which values may hold any character", (t) => {
    const proc = processes(t, { 7: { environ: "A=1\0B=x=y\nz\0EMPTY=\0junk\0" } });
    assert.deepEqual(
      [...(proc.environment(7) ?? [])],
      [
        ["A", "1"],
        ["B", "x=y\nz"],
        ["EMPTY", ""],
      ],
    );
    assert.equal(proc.environment(8), undefined);
  });

  it("have mapped files, also those that were replaced since", (t) => {
    const maps = [
      "7f00-7f01 r-xp 00000000 08:01 12 /usr/lib/a b.so",
      "7f01-7f02 r--p 00001000 08:01 12 /usr/lib/a b.so",
      "7f02-7f03 r-xp 00000000 08:01 13 /opt/libmptcpwrap.so (deleted)",
      "7f03-7f04 rw-p 00000000 00:00 0 [heap]",
      "7f04-7f05 rw-p 00000000 00:00 0 ",
      "",
    ].join("\n");
    const proc = processes(t, { 7: { maps } });
    assert.deepEqual([...(proc.mappedFiles(7) ?? [])], ["/usr/lib/a b.so", "/opt/libmptcpwrap.so"]);
    assert.equal(proc.mappedFiles(8), undefined);
  });

  it("that have ended are no error", (t) => {
    assert.equal(processes(t, {}).find(7), undefined);
  });

  it("of the real system have this one among them, with a start in the past", () => {
    const { PATH } = process.env;
    const own = new Processes().list().find(({ pid }) => pid === process.pid);
    assert.ok(own?.sockets);
    assert.ok(Math.abs(own.startedAt - performance.timeOrigin) < 5000);
    assert.equal(new Processes().environment(process.pid)?.get("PATH"), PATH);
    assert.ok(new Processes().mappedFiles(process.pid)?.has(process.execPath));
  });
});
