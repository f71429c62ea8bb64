import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { bytesOfText } from "../../../src/base/bytes.ts";
import { Cgroups } from "../../../src/kernel/cgroups.ts";

describe("cgroups", () => {
  let root = "";
  let mount = "";

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "cgroups-"));
    mount = join(root, "my cgroups");
    mkdirSync(join(mount, "system.slice/foo.service/.control"), { recursive: true });
    mkdirSync(join(root, "proc/self"), { recursive: true });
    mountedAt("/");
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it("are found where version 2 is mounted, beside version 1 too", () => {
    assert.equal(open().mount, mount);
  });

  it("have a directory for each process", () => {
    processIn(1, "/");
    processIn(7, "/system.slice/foo.service");
    assert.equal(open().of(1), mount);
    assert.equal(open().of(7), join(mount, "system.slice/foo.service"));
  });

  it("have names of bytes: two that are not UTF-8 stay two", () => {
    const [one, other] = ["\udcff", "\udcfe"].map((name) => join(mount, name));
    assert.ok(one && other);
    for (const directory of [one, other]) mkdirSync(bytesOfText(directory));
    mkdirSync(join(root, "proc/7"), { recursive: true });
    writeFileSync(join(root, "proc/7/cgroup"), bytesOfText("0::/\udcfe\n"));
    assert.equal(open().of(7), other);
    const inode = statSync(bytesOfText(other), { bigint: true }).ino;
    assert.equal(open().directories().get(inode), other);
    // Node 20 cannot remove them by way of their parent.
    for (const directory of [one, other]) rmdirSync(bytesOfText(directory));
  });

  it("are seen from within a container, in which a part is mounted", () => {
    mountedAt("/system.slice");
    rmSync(join(mount, "system.slice"), { recursive: true });
    for (const path of ["foo.service", "s/foo.service"]) mkdirSync(join(mount, path), { recursive: true });
    processIn(7, "/system.slice/foo.service");
    processIn(8, "/system.slice");
    processIn(9, "/system.slices/foo.service");
    assert.equal(open().of(7), join(mount, "foo.service"));
    assert.equal(open().of(8), mount);
    assert.throws(() => open().of(9), {
      code: "CGROUP",
      message: /system\.slices\/foo\.service.* is not to be seen here/,
    });
  });

  it("out of sight are no directories: outside of the namespace, removed, or of version 1 only", () => {
    mkdirSync(join(root, "other.service"));
    processIn(7, "/../other.service");
    processIn(8, "/system.slice/gone.service (deleted)");
    for (const pid of [7, 8])
      assert.throws(() => open().of(pid), { code: "CGROUP", message: /not to be seen here/ });
    assert.throws(() => open().of(9), { code: "CGROUP", message: "there is no process 9" });
  });

  it("are listed by id, all of them", () => {
    const paths = ["", "system.slice", "system.slice/foo.service", "system.slice/foo.service/.control"];
    const expected = paths.map((path) => {
      const directory = join(mount, path);
      return [statSync(directory, { bigint: true }).ino, directory];
    });
    assert.deepEqual([...open().directories()].sort(), expected.sort());
  });

  it("of version 1 alone do not do", () => {
    writeFileSync(join(root, "proc/self/mountinfo"), v1);
    assert.throws(open, { code: "CGROUP", message: /^no cgroups of version 2 are mounted here: / });
  });

  const v1 =
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";

  function open(): Cgroups {
    return new Cgroups(join(root, "proc"));
  }

  function mountedAt(within: string): void {
    const line = `41 31 0:38 ${within} ${mount.replaceAll(" ", "\\040")} rw,relatime shared:9 - cgroup2 cgroup2 rw\n`;
    writeFileSync(join(root, "proc/self/mountinfo"), v1 + line);
  }

  function processIn(pid: number, path: string): void {
    mkdirSync(join(root, "proc", String(pid)));
    writeFileSync(join(root, "proc", String(pid), "cgroup"), `9:name=systemd:/elsewhere\n0::${path}\n`);
  }
});
