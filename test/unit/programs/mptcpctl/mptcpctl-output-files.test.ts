import assert from "node:assert/strict";
import { closeSync, linkSync, readFileSync, statSync, symlinkSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openRecording } from "../../../../src/programs/mptcpctl/io/output-files.ts";
import { temporaryDirectory } from "../../temporary.ts";

function record(file: string): void {
  const fd = openRecording(file);
  writeSync(fd, "new");
  closeSync(fd);
}

describe("the file of a recording", () => {
  it("is new, or takes the place of the one that is there", (t) => {
    const file = join(temporaryDirectory(t), "file");
    for (let count = 0; count < 2; count += 1) {
      record(file);
      assert.equal(readFileSync(file, "utf8"), "new");
    }
  });

  it("is never another one that has the same name as well", (t) => {
    const directory = temporaryDirectory(t);
    const [victim, file] = [join(directory, "victim"), join(directory, "file")];
    writeFileSync(victim, "as it was");
    linkSync(victim, file);
    record(file);
    assert.deepEqual([readFileSync(victim, "utf8"), readFileSync(file, "utf8")], ["as it was", "new"]);
    assert.equal(statSync(victim).nlink, 1);
  });

  it("is refused behind a symbolic link", (t) => {
    const directory = temporaryDirectory(t);
    const [victim, file] = [join(directory, "victim"), join(directory, "file")];
    writeFileSync(victim, "as it was");
    symlinkSync(victim, file);
    assert.throws(() => openRecording(file), {
      code: "ELOOP",
      message: /symbolic link.*name the file itself/,
    });
    assert.equal(readFileSync(victim, "utf8"), "as it was");
  });

  it("may be a device", () => closeSync(openRecording("/dev/null")));
});
