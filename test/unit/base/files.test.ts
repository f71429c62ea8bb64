import assert from "node:assert/strict";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { temporaryOf, writeFileAtomically } from "../../../src/base/files.ts";
import { temporaryDirectory } from "../temporary.ts";

describe("a file that is written atomically", () => {
  it("has the text, and the mode that is asked for whatever the umask", (t) => {
    const file = join(temporaryDirectory(t), "a");
    const umask = process.umask(0o077);
    t.after(() => process.umask(umask));
    writeFileAtomically(file, "é\n");
    assert.equal(readFileSync(file, "utf8"), "é\n");
    assert.equal(statSync(file).mode & 0o7777, 0o644);
    writeFileAtomically(`${file}2`, "", 0o600);
    assert.equal(statSync(`${file}2`).mode & 0o7777, 0o600);
  });

  it("is another file with the mode of the one before: who reads that sees the old text", (t) => {
    const file = join(temporaryDirectory(t), "a");
    writeFileSync(file, "old");
    chmodSync(file, 0o640);
    const before = statSync(file);
    writeFileAtomically(file, "new");
    assert.notEqual(statSync(file).ino, before.ino);
    assert.equal(statSync(file).mode, before.mode);
    assert.equal(readFileSync(file, "utf8"), "new");
  });

  it("is written where a symbolic link says, and the link stays", (t) => {
    const directory = temporaryDirectory(t);
    mkdirSync(join(directory, "there"));
    writeFileSync(join(directory, "there/a"), "old");
    symlinkSync("there/a", join(directory, "link"));
    writeFileAtomically(join(directory, "link"), "new");
    assert.ok(lstatSync(join(directory, "link")).isSymbolicLink());
    assert.equal(readFileSync(join(directory, "there/a"), "utf8"), "new");
  });

  it("takes the place of what a killed writer left", (t) => {
    const directory = temporaryDirectory(t);
    const file = join(directory, "a");
    writeFileSync(temporaryOf(file), "half");
    chmodSync(temporaryOf(file), 0o777);
    writeFileAtomically(file, "whole");
    assert.deepEqual(readdirSync(directory), ["a"]);
    assert.equal(readFileSync(file, "utf8"), "whole");
    assert.equal(statSync(file).mode & 0o7777, 0o644);
  });

  it("leaves nothing behind when it cannot be", (t) => {
    const directory = temporaryDirectory(t);
    mkdirSync(join(directory, "a"));
    assert.throws(() => writeFileAtomically(join(directory, "a"), "text"), { code: "EISDIR" });
    assert.deepEqual(readdirSync(directory), ["a"]);
  });
});
