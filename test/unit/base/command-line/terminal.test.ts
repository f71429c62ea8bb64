import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { programArguments } from "../../../../src/base/command-line/argument-bytes.ts";
import { outputColumns } from "../../../../src/base/command-line/terminal.ts";
import { temporaryDirectory } from "../../temporary.ts";

describe("the width of the output", () => {
  it("is the terminal's, else that of COLUMNS, else none", () => {
    assert.equal(outputColumns({ columns: 100 }, { COLUMNS: "80" }), 100);
    assert.equal(outputColumns({ columns: 0 }, { COLUMNS: "80" }), 80);
    assert.equal(outputColumns({}, { COLUMNS: "80" }), 80);
    for (const wrong of ["", "0", "-1", "x", "999999"])
      assert.equal(outputColumns({}, { COLUMNS: wrong }), undefined, wrong);
  });
});

describe("the words of the command line", () => {
  const file = (t: Parameters<typeof temporaryDirectory>[0], ...words: readonly string[]): string => {
    const path = join(temporaryDirectory(t), "cmdline");
    writeFileSync(path, Buffer.from(words.map((word) => `${word}\0`).join(""), "latin1"));
    return path;
  };

  it("keep the bytes that are not UTF-8", (t) => {
    const path = file(t, "node", "--option", "program", "dev", "\xff\x80");
    const words = programArguments(["node", "program", "dev", "\ufffd\ufffd"], path);
    assert.deepEqual(words, ["dev", "\udcff\udc80"]);
  });

  it("are Node's where all are UTF-8, or where /proc says something else", (t) => {
    assert.deepEqual(programArguments(["node", "program", "é"], "/nonexistent"), ["é"]);
    assert.deepEqual(programArguments(["node", "program", "\ufffd"], "/nonexistent"), ["\ufffd"]);
    assert.deepEqual(programArguments(["node", "program", "\ufffd"], file(t, "node", "x")), ["\ufffd"]);
  });
});
