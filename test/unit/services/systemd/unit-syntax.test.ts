import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  escapeSpecifiers,
  parseUnitFile,
  quoteWord,
  splitWords,
  UnitSyntaxError,
  validWords,
} from "../../../../src/services/systemd/unit-syntax.ts";

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

const texts = (value: string) => splitWords(value).map(({ text }) => text);

describe("words", () => {
  it("stand between blanks", () => {
    assert.deepEqual(texts(" a  b\tc "), ["a", "b", "c"]);
    assert.deepEqual(texts(""), []);
    assert.deepEqual(texts("no\u00a0break"), ["no\u00a0break"]);
  });

  it("may be quoted as a whole or in part", () => {
    assert.deepEqual(texts(`"a b" 'c "d"' e"f g"'h' ""`), ["a b", 'c "d"', "ef gh", ""]);
  });

  it("have escapes, within quotes and without", () => {
    assert.deepEqual(texts(String.raw`\x41 "\101" '\u00e9' \U0001f600 \303\251 a\sb \"\'\\ \a\b\f\n\r\t\v`), [
      "A",
      "A",
      "é",
      "😀",
      "é",
      "a b",
      `"'\\`,
      "\x07\b\f\n\r\t\v",
    ]);
  });

  it("tell how they are written, and where", () => {
    const value = String.raw`  "a b"\x41 c`;
    assert.deepEqual(splitWords(value), [
      { text: "a bA", raw: String.raw`"a b"\x41`, end: 11 },
      { text: "c", raw: "c", end: 13 },
    ]);
  });

  it("keep specifiers and variables", () => {
    assert.deepEqual(texts("%n $A %%"), ["%n", "$A", "%%"]);
  });

  it("cannot be read with an open quote or an unknown escape", () => {
    for (const value of [
      'a "b',
      "a 'b\"",
      "\\q",
      "\\",
      "\\x4",
      "\\x00",
      "\\000",
      "\\400",
      "\\u12",
      "\\U00110000",
    ])
      assert.throws(() => splitWords(value), { name: "UnitSyntaxError", code: "UNIT_SYNTAX" }, value);
    assert.ok(new UnitSyntaxError("x") instanceof Error);
  });

  it("are given up to the first error", () => {
    assert.deepEqual(
      validWords(`a b\\qc d`).map(({ text }) => text),
      ["a"],
    );
  });

  it("keep unknown escapes where that is wanted", () => {
    const kept = splitWords(String.raw`a\qb \. \x4 "\ " \  c`, "keep").map(({ text }) => text);
    assert.deepEqual(kept, ["a\\qb", "\\.", "\\x4", "\\ ", "\\ ", "c"]);
    assert.throws(() => splitWords(`"\\q`, "keep"), UnitSyntaxError);
  });

  it("are quoted where they need it only", () => {
    assert.equal(quoteWord("A=/usr/lib/x.so:%h/$Y"), "A=/usr/lib/x.so:%h/$Y");
    assert.equal(quoteWord(""), '""');
    assert.equal(quoteWord("a b"), '"a b"');
    assert.equal(quoteWord('\\"\n'), String.raw`"\\\"\n"`);
  });

  it("are read from a unit file as they were quoted", () => {
    const text = fc.string({ unit: fc.oneof(fc.constantFrom(..." \t\n\r\"'\\#;%$=[]x"), fc.string()) });
    fc.assert(
      fc.property(fc.array(text), (words) => {
        const file = `[Service]\nEnvironment=${words.map(quoteWord).join(" ")}\n`;
        const [assignment] = parseUnitFile(file, "x.service");
        assert.deepEqual(texts(assignment?.value ?? ""), words);
      }),
    );
  });

  it("mean % itself when it is doubled", () => {
    assert.equal(escapeSpecifiers("100%n"), "100%%n");
  });
});
