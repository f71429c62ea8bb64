import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { LineSplitter } from "../../../../src/path-managers/runtime/line-splitter.ts";

function split(chunks: readonly string[], longest = 100) {
  const lines: string[] = [];
  let tooLong = 0;
  const splitter = new LineSplitter(
    longest,
    (line) => lines.push(line),
    () => tooLong++,
  );
  for (const chunk of chunks) splitter.push(chunk);
  return { lines, splitter, tooLong: () => tooLong };
}

describe("lines of a stream", () => {
  it("come as soon as they are whole, and the last one at the end", () => {
    const { lines, splitter } = split(["one\ntw", "o", "\nthree"]);
    assert.deepEqual(lines, ["one", "two"]);
    splitter.end();
    splitter.end();
    assert.deepEqual(lines, ["one", "two", "three"]);
  });

  it("are those that say something", () => {
    const { lines, splitter } = split(["\n \n\r\none\n\n  "]);
    splitter.end();
    assert.deepEqual(lines, ["one"]);
  });

  it("are the same, in whatever pieces they come", () => {
    const text = fc.array(fc.constantFrom("a", "b", "é", "\n", " "), { maxLength: 40 });
    fc.assert(
      fc.property(text, fc.array(fc.nat(40), { maxLength: 5 }), (letters, cuts) => {
        const ends = [...cuts.toSorted((a, b) => a - b), letters.length];
        const chunks = ends.map((end, at) => letters.slice(ends[at - 1] ?? 0, end).join(""));
        const { lines, splitter } = split(chunks);
        splitter.end();
        assert.deepEqual(
          lines,
          letters
            .join("")
            .split("\n")
            .filter((line) => line.trim() !== ""),
        );
      }),
    );
  });

  it("are not waited for without end", () => {
    const { lines, tooLong } = split(["12345\n12345\n", "123456"], 5);
    assert.deepEqual([lines, tooLong()], [["12345", "12345"], 1]);
  });

  it("are too long also when they come whole", () => {
    const { lines, tooLong } = split(["one\n123456\ntwo\n"], 5);
    assert.deepEqual([lines, tooLong()], [["one"], 1]);
  });
});
