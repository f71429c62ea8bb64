import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, rmSync } from "node:fs";
import { before, describe, it } from "node:test";
import { attachedCgroups, checkProgram } from "../../src/kernel/bpf/attachment.ts";
import { addId, createIdSet, deleteId, listIds, openPinned, pin } from "../../src/kernel/bpf/syscalls.ts";
import { addon } from "../../src/kernel/netlink/addon.ts";
import { requires } from "../../src/lab/kit/requires.ts";

const bpffs = "/sys/fs/bpf";

/** The program itself is tested in virtual machines (test/vm): many a container or host refuses it. */
describe("bpf(2)", { skip: requires({ root: true, tools: ["mount"] }) }, () => {
  // In the mount namespace of the sandbox.
  before(() => assert.equal(spawnSync("mount", ["-t", "bpf", "bpf", bpffs]).status, 0));

  it("keeps a set of ids", (t) => {
    const ids = createIdSet("a_name_longer_than_the_kernel_has", 10);
    t.after(() => closeSync(ids.fd));
    assert.deepEqual(listIds(ids), []);
    const members = [1n, 0xffff_ffff_ffff_ffffn, 1n << 32n];
    for (const id of [...members, 1n]) addId(ids, id);
    assert.deepEqual(listIds(ids).sort(), members.sort());
    deleteId(ids, 1n);
    assert.deepEqual(listIds(ids).sort(), members.slice(1).sort());
    assert.throws(() => deleteId(ids, 1n), { name: "SystemError", code: "ENOENT" });
  });

  it("has room for as many as were asked for", (t) => {
    const ids = createIdSet("small", 2);
    t.after(() => closeSync(ids.fd));
    for (const id of [1n, 2n]) addId(ids, id);
    assert.throws(() => addId(ids, 3n), { code: "E2BIG" });
  });

  it("keeps what is pinned", (t) => {
    const path = `${bpffs}/pinned`;
    const ids = createIdSet("pinned", 2);
    addId(ids, 42n);
    pin(ids.fd, path);
    t.after(() => rmSync(path));
    closeSync(ids.fd);
    const again = { fd: openPinned(path) };
    t.after(() => closeSync(again.fd));
    assert.deepEqual(listIds(again), [42n]);
    assert.throws(() => openPinned(`${bpffs}/absent`), {
      code: "ENOENT",
      message: /^open \/sys\/fs\/bpf\/absent: /,
    });
  });

  it("never writes a pointer outside of the attributes", () => {
    const bytes = new Uint8Array(8);
    for (const [length, offset] of [
      [16, 9],
      [16, 0xffff_ffff],
      [4, 0],
      [0, 0],
    ] as const)
      assert.throws(() => addon().bpf(0, new Uint8Array(length), [offset], [bytes]), RangeError);
    assert.throws(() => addon().bpf(0, new Uint8Array(16), [0], []));
    assert.equal(addon().bpf(0, new Uint8Array(257), [], []), -7);
  });

  it("is taken or refused by this machine with one line, and leaves nothing behind", async () => {
    await checkProgram().catch((error: unknown) => {
      assert(error instanceof Error && error.name === "BpfError", String(error));
      assert.match(error.message, /^[^\n]{20,}$/);
    });
    assert.equal(existsSync(`${bpffs}/mptcpize`), false);
    assert.deepEqual(attachedCgroups(), []);
  });
});
