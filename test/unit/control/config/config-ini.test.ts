import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseIni } from "../../../../src/control/config/ini-file.ts";

const parse = (text: string) => parseIni(Buffer.from(text));
const entriesOf = (text: string) =>
  Object.fromEntries(
    parse(text).sections.flatMap(({ entries }) => entries.map(({ key, value }) => [key, value])),
  );
const problemsOf = (text: string | Uint8Array) =>
  parseIni(Buffer.from(text)).problems.map(({ line, message }) => `${line}: ${message}`);

describe("the grammar of mptcpd.conf", () => {
  it("has sections, entries and comments, with their lines", () => {
    assert.deepEqual(parse("# top\n\n[core]\nlog=stderr\n  # indented\n[path lte]\nmax=1"), {
      sections: [
        { name: "core", line: 3, entries: [{ key: "log", value: "stderr", line: 4 }] },
        { name: "path lte", line: 6, entries: [{ key: "max", value: "1", line: 7 }] },
      ],
      problems: [],
    });
  });

  it("drops blanks around keys, values, names and lines", () => {
    const { sections } = parse(" [ path \t lte ] \n \t key \t=\t value in words \t \n");
    assert.equal(sections[0]?.name, "path lte");
    assert.deepEqual(sections[0]?.entries, [{ key: "key", value: "value in words", line: 2 }]);
  });

  it("knows # as a comment at the start of a line only", () => {
    assert.deepEqual(entriesOf("[core]\na=1 # one\n"), { a: "1 # one" });
  });

  it("resolves \\s \\n \\t \\r and \\\\", () => {
    assert.deepEqual(entriesOf("[s]\na=\\sx\\s\\n\\t\\r\\\\s"), { a: " x \n\t\r\\s" });
  });

  it("splits at the first =, and takes empty values", () => {
    assert.deepEqual(entriesOf("[s]\na==b=c\nempty="), { a: "=b=c", empty: "" });
  });

  it("takes lines that end in CR LF, and a last line without an end", () => {
    assert.deepEqual(entriesOf("[s]\r\na=1\r\n\r\nb=2"), { a: "1", b: "2" });
  });

  it("takes keys such as __proto__ for what they are", () => {
    assert.deepEqual(parse("[s]\n__proto__=1").sections[0]?.entries, [
      { key: "__proto__", value: "1", line: 2 },
    ]);
  });

  for (const [what, text, problem] of [
    [
      "a line without =",
      "[core]\nlog",
      `2: "log" has no "="; allowed are KEY=VALUE, [SECTION] and # COMMENT`,
    ],
    ["a key before any section", "log=null", "1: log stands before any section; put [core] above it"],
    [
      "a bad key",
      "[core]\nlög=1",
      `2: "lög" is not a key; allowed are letters, digits and the characters _ . -`,
    ],
    ["no key", "[core]\n=1", `2: "" is not a key; allowed are letters, digits and the characters _ . -`],
    ["a bad escape", "[core]\na=\\x", `2: a: "\\x" is not an escape; allowed are \\s \\n \\t \\r \\\\`],
    ["a lone backslash", "[core]\na=b\\ ", `2: a: "\\" is not an escape; allowed are \\s \\n \\t \\r \\\\`],
    ["a key twice", "[core]\na=1\n\na=2", "4: a was given on line 2 already; keep one of them"],
    ["a section twice", "[core]\n[path x]\n[core]", "3: [core] already begins on line 1; put its keys there"],
    ["a header without ]", "[core", `1: "[core" has no closing ]; allowed is [NAME]`],
    ["a header without a name", "[ ]", "1: the section has no name; allowed is [NAME]"],
    ["text after ]", "[core] # x", `1: "# x" follows the section's ]; comments need a line of their own`],
    [
      "a byte order mark",
      "\ufeff[core]",
      "1: the file begins with a byte order mark; save it as UTF-8 without one",
    ],
    ["a NUL", "[core]\na=\0", "2: the line holds the control character U+0000; allowed are \\n, \\r and \\t"],
  ] as const) {
    it(`refuses ${what}`, () => assert.deepEqual(problemsOf(text), [problem]));
  }

  it("refuses what is not UTF-8", () => {
    const bytes = Buffer.from("[core]\na=\xff\n", "latin1");
    assert.deepEqual(problemsOf(bytes), ["2: the line is not valid UTF-8; save the file as UTF-8"]);
  });

  it("reports every fault, and reads on behind them", () => {
    const { sections, problems } = parse("x=1\n[core]\ny\nlog=null\nz=\\q\n");
    assert.deepEqual(
      problems.map(({ line }) => line),
      [1, 3, 5],
    );
    assert.deepEqual(sections[0]?.entries, [{ key: "log", value: "null", line: 4 }]);
  });

  it("reads a file of 200,000 distinct keys in seconds", () => {
    const text = `[core]\n${Array.from({ length: 200_000 }, (_, index) => `k${index}=`).join("\n")}`;
    const start = performance.now();
    assert.equal(parse(text).sections[0]?.entries.length, 200_000);
    assert.ok(performance.now() - start < 20_000);
  });

  it("gives back whatever was written in it", () => {
    const key = fc.stringMatching(/^[A-Za-z0-9_.-]{1,12}$/);
    const word = fc.stringMatching(/^[A-Za-z0-9_.-]{1,8}$/);
    const name = fc.oneof(
      word,
      fc.tuple(word, word).map((words) => words.join(" ")),
    );
    const text = fc.string({ unit: "grapheme" }).filter((value) => !/(?![\n\t\r])\p{Cc}|\p{Cs}/u.test(value));
    const value = fc.oneof(
      text,
      fc.string({ unit: fc.constantFrom(" ", "\n", "\t", "\r", "\\", "=", "#", "[", "s") }),
    );
    const section = fc.tuple(
      name,
      fc.uniqueArray(fc.tuple(key, value), { selector: ([first]) => first, maxLength: 6 }),
    );
    const blanks = fc.constantFrom("", " ", "\t ", "  ");
    const documents = fc.uniqueArray(section, { selector: ([first]) => first, maxLength: 5 });
    fc.assert(
      fc.property(
        documents,
        blanks,
        fc.constantFrom("\n", "\r\n", "\n# x\n", "\n\n"),
        (document, blank, end) => {
          const lines = document.flatMap(([header, entries]) => [
            `${blank}[${blank}${header}${blank}]${blank}`,
            ...entries.map(([left, right]) => `${blank}${left}${blank}=${blank}${escaped(right)}${blank}`),
          ]);
          const { sections, problems } = parse(lines.join(end));
          assert.deepEqual(problems, []);
          assert.deepEqual(
            sections.map((read) => [read.name, read.entries.map((entry) => [entry.key, entry.value])]),
            document,
          );
        },
      ),
      { numRuns: 2000 },
    );
  });
});

function escaped(value: string): string {
  const letters: Record<string, string> = { "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", " ": "\\s" };
  return value.replace(/[\\\n\t\r ]/g, (character) => letters[character] ?? character);
}
