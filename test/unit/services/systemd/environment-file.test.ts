import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { readEnvironmentFiles } from "../../../../src/services/systemd/environment-file.ts";
import { temporaryDirectory } from "../../temporary.ts";

describe("an EnvironmentFile=", () => {
  it("may be missing, or be no file", (t) => {
    const root = temporaryDirectory(t);
    assert.deepEqual([...readEnvironmentFiles(`${root}/missing`)], []);
    assert.deepEqual([...readEnvironmentFiles(root)], []);
    assert.deepEqual([...readEnvironmentFiles("/dev/zero")], []);
  });

  it("may be a glob; the files count in the order of their names", (t) => {
    const root = temporaryDirectory(t);
    for (const [path, text] of [
      ["a/2.env", "X=second\n"],
      ["a/1.env", "X=first\nY=1\n"],
      ["a/.hidden.env", "H=hidden\n"],
      ["b/1.env", "Z=1\n"],
      ["a/1.txt", "X=other\n"],
    ] as const) {
      mkdirSync(`${root}/${path.slice(0, 1)}`, { recursive: true });
      writeFileSync(`${root}/${path}`, text);
    }
    const read = (path: string) => Object.fromEntries(readEnvironmentFiles(`${root}/${path}`));
    assert.deepEqual(read("a/*.env"), { X: "second", Y: "1" });
    assert.deepEqual(read("?/1.env"), { X: "first", Y: "1", Z: "1" });
    assert.deepEqual(read("a/.h*.env"), { H: "hidden" });
    assert.deepEqual(read("c/*.env"), {});
  });
});
