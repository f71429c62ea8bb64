import assert from "node:assert/strict";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { prepareRuntimeDirectory, replaceStateFile } from "../../../../src/base/runtime-directory.ts";
import { NamespaceLock, runtimeDirectoryFor } from "../../../../src/control/endpoints/namespace.ts";
import { requires } from "../../../../src/lab/kit/requires.ts";
import { temporaryDirectory } from "../../temporary.ts";

const namespace = { bootId: "this boot", key: "1" };

describe("the lock of a namespace", () => {
  it("is held by one, and tells by whom", (t) => {
    const directory = temporaryDirectory(t);
    const lock = NamespaceLock.acquire(directory, namespace);
    assert.ok(lock instanceof NamespaceLock);
    assert.deepEqual(NamespaceLock.acquire(directory, namespace), { holder: process.pid });
    lock.release();
    const next = NamespaceLock.acquire(directory, namespace);
    assert.ok(next instanceof NamespaceLock);
    next.release();
  });

  it("cannot be opened, and so not be held, by other users, also where an older file let them", (t) => {
    const directory = temporaryDirectory(t);
    const file = join(directory, "netns-1.lock");
    writeFileSync(file, "", { mode: 0o644 });
    const lock = NamespaceLock.acquire(directory, namespace);
    assert.ok(lock instanceof NamespaceLock);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    lock.release();
  });
});

describe("links that the owner of the runtime directory has laid", () => {
  it("lead nobody who locks or writes elsewhere", (t) => {
    const directory = temporaryDirectory(t);
    const target = join(directory, "target");
    writeFileSync(target, "as it was", { mode: 0o644 });
    const ledger = join(directory, "netns-1.ledger");
    for (const name of ["netns-1.lock", "netns-1.ledger", "netns-1.ledger.new"])
      symlinkSync(target, join(directory, name));
    assert.throws(() => NamespaceLock.acquire(directory, namespace), { code: "EBADFILE" });
    replaceStateFile(ledger, "new");
    assert.deepEqual([readFileSync(target, "utf8"), readFileSync(ledger, "utf8")], ["as it was", "new"]);
    assert.equal(statSync(target).mode & 0o777, 0o644);
    assert.ok(!lstatSync(ledger).isSymbolicLink());
  });
});

describe("the runtime directory", () => {
  it("is made if it is not there, but not its parents", (t) => {
    const directory = temporaryDirectory(t);
    prepareRuntimeDirectory(join(directory, "run"));
    assert.ok(statSync(join(directory, "run")).isDirectory());
    assert.throws(() => prepareRuntimeDirectory(join(directory, "a/b")), { code: "ENOENT" });
  });

  it("is refused if it is a link that leads nowhere", (t) => {
    const directory = join(temporaryDirectory(t), "run");
    symlinkSync("/nonexistent/target", directory);
    assert.throws(() => prepareRuntimeDirectory(directory), /is a symbolic link that leads nowhere/);
  });

  it("is refused if everybody may write to it", (t) => {
    const directory = temporaryDirectory(t);
    chmodSync(directory, 0o1777);
    assert.throws(() => prepareRuntimeDirectory(directory), /everybody may write/);
  });

  it("of a namespace is the one that was last used there: that of mptcp.service, or of an instance", (t) => {
    const root = temporaryDirectory(t);
    const use = (name: string, key: string, time: number): void => {
      mkdirSync(join(root, name), { recursive: true });
      const lock = join(root, name, `netns-${key}.lock`);
      writeFileSync(lock, "");
      utimesSync(lock, time, time);
    };
    assert.equal(runtimeDirectoryFor(namespace, root), join(root, "mptcpd"), "none yet");
    use("mptcpd", "1", 10);
    use("mptcpd@blue", "2", 20);
    mkdirSync(join(root, "mptcpd@empty"));
    assert.equal(runtimeDirectoryFor(namespace, root), join(root, "mptcpd"));
    assert.equal(runtimeDirectoryFor({ ...namespace, key: "2" }, root), join(root, "mptcpd@blue"));
    use("mptcpd", "2", 10);
    assert.equal(runtimeDirectoryFor({ ...namespace, key: "2" }, root), join(root, "mptcpd@blue"));
    use("mptcpd", "2", 30);
    assert.equal(runtimeDirectoryFor({ ...namespace, key: "2" }, root), join(root, "mptcpd"));
  });

  it("of a namespace may be one that this user may not look into", {
    skip: requires({ root: true }),
  }, (t) => {
    const root = temporaryDirectory(t);
    chmodSync(root, 0o755);
    for (const [name, mode] of [
      ["mptcpd", 0o755],
      ["mptcpd@blue", 0o700],
    ] as const)
      mkdirSync(join(root, name), { mode });
    writeFileSync(join(root, "mptcpd", "netns-1.lock"), "");
    assert.equal(runtimeDirectoryFor(namespace, root), join(root, "mptcpd"));
    process.seteuid?.(65534);
    t.after(() => process.seteuid?.(0));
    assert.equal(runtimeDirectoryFor(namespace, root), join(root, "mptcpd@blue"));
    process.seteuid?.(0);
  });
});
