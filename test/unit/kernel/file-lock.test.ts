import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it, type TestContext } from "node:test";
import { lockFile, lockHolder, signalLockHolder } from "../../../src/kernel/file-lock.ts";
import { within } from "../../../src/lab/kit/wait.ts";
import { temporaryDirectory } from "../temporary.ts";

describe("the holder of a lock", () => {
  it("is the process that took it, whatever the file says", (t) => {
    const file = join(temporaryDirectory(t), "lock");
    assert.equal(lockHolder(file), undefined, "no file");
    writeFileSync(file, "1\n");
    assert.equal(lockHolder(file), undefined, "no lock");
    const fd = openSync(file, "r");
    lockFile(fd);
    assert.equal(lockHolder(file), process.pid);
    closeSync(fd);
    assert.equal(lockHolder(file), undefined, "no longer");
  });

  it("is not looked for behind a symbolic link", (t) => {
    const directory = temporaryDirectory(t);
    const [file, link] = [join(directory, "lock"), join(directory, "link")];
    writeFileSync(file, "");
    symlinkSync(file, link);
    const fd = openSync(file, "r");
    lockFile(fd);
    t.after(() => closeSync(fd));
    assert.equal(lockHolder(link), undefined);
  });

  it("is unknown once it has ended, though its child keeps the lock: another may have its pid by now", async (t) => {
    const file = join(temporaryDirectory(t), "lock");
    writeFileSync(file, "");
    await shell(t, file, "flock -n 9");
    assert.equal(lockHolder(file), undefined);
    const fd = openSync(file, "r");
    assert.equal(lockFile(fd), false, "it is locked");
    closeSync(fd);
  });

  it("gets the signal, and not the process that has the file open, nor the one that the file names", async (t) => {
    const file = join(temporaryDirectory(t), "lock");
    const holder = await perl(t, file, handler);
    const bystander = await shell(t, file, "true");
    writeFileSync(file, `${bystander.pid}\n`);
    assert.equal(signalLockHolder(file, "SIGUSR1"), holder.process.pid);
    assert.equal(await holder.line(), "told");
    bystander.stdin?.end();
    const [code] = await within("its end", once(bystander, "exit"));
    assert.equal(code, 0);
  });

  it("is left alone if the signal would end it", async (t) => {
    const file = join(temporaryDirectory(t), "lock");
    const holder = await perl(t, file, "");
    assert.equal(lockHolder(file), holder.process.pid);
    assert.equal(signalLockHolder(file, "SIGUSR1"), undefined);
    assert.equal(holder.process.exitCode ?? holder.process.signalCode, null);
  });
});

/** A process that has the file open as descriptor 9, until its standard input ends. */
async function shell(t: TestContext, file: string, script: string): Promise<ChildProcess> {
  const process = spawn("sh", ["-c", `exec 9<"$1"; ${script}; echo ready; read -r _; exit 0`, "sh", file], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.after(() => process.kill("SIGKILL"));
  await within("the process", once(process.stdout, "data"));
  return process;
}

const handler = "$SIG{USR1} = sub { print qq(told\\n) };";

/** A process that locks the file itself; perl is part of every Debian. */
async function perl(t: TestContext, file: string, script: string) {
  const program = `$| = 1; ${script} open(my $f, '>', $ARGV[0]) or die; flock($f, 2) or die; print qq(ready\\n); sleep 1 while 1;`;
  const process = spawn("perl", ["-e", program, file], { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => process.kill("SIGKILL"));
  const lines = createInterface({ input: process.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => (await within("a line", lines.next())).value;
  assert.equal(await line(), "ready");
  return { process, line };
}
