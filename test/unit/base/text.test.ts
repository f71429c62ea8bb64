import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { didYouMean, escapeControls, escapeLines, oneLine } from "../../../src/base/text.ts";

const hostile = "\x1b[2J\x9b1m\x7f\u202e\u2066\u200f\u061c\ufeff\u2028\ud800\r";

describe("text that others can choose", () => {
  it("shows escapes in place of controls, marks of direction and half characters", () => {
    assert.equal(
      escapeControls(hostile),
      "\\u001b[2J\\u009b1m\\u007f\\u202e\\u2066\\u200f\\u061c\\ufeff\\u2028\\ud800\\u000d",
    );
    assert.equal(escapeControls("\u{e0041}"), "\\udb40\\udc41");
    assert.equal(escapeControls("eth0 é 日本 😀"), "eth0 é 日本 😀");
  });

  it("keeps its lines and tabs where it has lines", () => {
    assert.equal(escapeLines("a\tb\n\x1bc\n"), "a\tb\n\\u001bc\n");
  });

  it("begins no line of its own in a message", () => {
    assert.equal(oneLine(" a\n  b\r\nc\td \n"), "a b c d");
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        for (const safe of [escapeControls(text), oneLine(text)])
          assert.doesNotMatch(safe, /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
      }),
    );
  });

  it("stays JSON, of the same value", () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: "binary" }), (value) => {
        const text = `${JSON.stringify(value, undefined, 2)}\n`;
        assert.deepEqual(JSON.parse(escapeLines(text)), JSON.parse(text));
      }),
    );
    const text = escapeLines(JSON.stringify({ name: hostile }));
    assert.deepEqual(JSON.parse(text), { name: hostile });
    assert.doesNotMatch(text, /[^\P{C}\n]/u);
  });
});

describe("did you mean", () => {
  const words = ["fullmesh", "heal", "backup", "ndiffports"];

  it("suggests the word that is one or two letters away", () => {
    assert.equal(didYouMean("fulmesh", words), " (did you mean fullmesh?)");
    assert.equal(didYouMean("bakcup", words), " (did you mean backup?)");
    assert.equal(didYouMean("HEAL", words), " (did you mean heal?)");
  });

  it("counts two letters that were swapped as one", () => {
    assert.equal(didYouMean("hael", words), " (did you mean heal?)");
    assert.equal(didYouMean("haul", words), "");
  });

  it("suggests nothing where no word is near", () => {
    assert.equal(didYouMean("wifi-first", words), "");
    assert.equal(didYouMean("", words), "");
    assert.equal(didYouMean("heal", []), "");
  });
});
