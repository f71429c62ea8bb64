import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseUnitFile } from "../../../../src/services/systemd/unit-syntax.ts";

const read = (text: string) =>
  parseUnitFile(text, "x").map(({ section, key, value }) => [section, key, value]);

describe("a unit file", () => {
  it("has settings in sections, in their order", () => {
    assert.deepEqual(read("[A]\nx=1\ny = 2 \n[B]\nx=3\n[A]\nx=\n"), [
      ["A", "x", "1"],
      ["A", "y", "2"],
      ["B", "x", "3"],
      ["A", "x", ""],
    ]);
  });

  it("tells the file and the line where a setting begins", () => {
    const [first, second] = parseUnitFile("# c\n[A]\nx=1 \\\n 2\ny=3\n", "/etc/a.service");
    assert.deepEqual([first?.file, first?.line], ["/etc/a.service", 3]);
    assert.equal(second?.line, 5);
  });

  it("continues lines that end in a backslash, and keeps the blanks after it", () => {
    assert.deepEqual(read("[A]\nx=1\\\n  2 \\\n\t3\ny=4"), [
      ["A", "x", "1   2  \t3"],
      ["A", "y", "4"],
    ]);
  });

  it("continues no line whose backslash is escaped, or is not the last character", () => {
    assert.deepEqual(read("[A]\nx=1\\\\\ny=2\\ \nz=3\\\\\\\n4"), [
      ["A", "x", "1\\\\"],
      ["A", "y", "2\\"],
      ["A", "z", "3\\\\ 4"],
    ]);
  });

  it("takes no notice of comments, also within a setting", () => {
    assert.deepEqual(read("[A]\n#x=0\n ;x=0\nx=1\\\n# c \\\n  ;d\n2 # 3\n"), [["A", "x", "1 2 # 3"]]);
  });

  it("ends a setting with the file, and with an empty line", () => {
    assert.deepEqual(read("[A]\nx=1\\"), [["A", "x", "1"]]);
    assert.deepEqual(read("[A]\nx=1\\\n\ny=2"), [
      ["A", "x", "1"],
      ["A", "y", "2"],
    ]);
  });

  it("may have any line ends, and a byte order mark", () => {
    for (const end of ["\n", "\r\n", "\r", "\n\r"])
      assert.deepEqual(
        read(["\ufeff[A]", "x=1\\", "2", "", "y=3", ""].join(end)),
        [
          ["A", "x", "1 2"],
          ["A", "y", "3"],
        ],
        JSON.stringify(end),
      );
  });

  it("has nothing outside of sections, and nothing without a key", () => {
    assert.deepEqual(read("x=1\n[A]\n=2\n = 3\nword\nx=4"), [["A", "x", "4"]]);
  });

  it("is not read further than to a broken heading, as systemd does", () => {
    assert.deepEqual(read("[A]\nx=1\n[B\ny=2\n[A]\nz=3"), [["A", "x", "1"]]);
  });
});
