import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseShownWords } from "../../../../src/services/systemd/shown.ts";
import { UnitSyntaxError } from "../../../../src/services/systemd/words.ts";

describe("a list that systemctl shows", () => {
  it("has bare words and quoted ones", () => {
    assert.deepEqual(parseShownWords(`A=1 "B=two words" C=it's D=`), ["A=1", "B=two words", "C=it's", "D="]);
    assert.deepEqual(parseShownWords(""), []);
  });

  it("has a backslash before what means something to a shell", () => {
    assert.deepEqual(parseShownWords('"A=\\"\\\\\\$\\`"'), ['A="\\$`']);
    assert.deepEqual(parseShownWords(String.raw`$'it\'s \\'`), ["it's \\"]);
  });

  it("has control characters, and bytes that are no characters, as in C", () => {
    assert.deepEqual(parseShownWords(String.raw`"A=one\ntwo\tthree\001" $'\303\251'`), [
      "A=one\ntwo\tthree\x01",
      "é",
    ]);
  });

  it("is not guessed at where a quote is open", () => {
    assert.throws(() => parseShownWords('"A=1'), UnitSyntaxError);
  });
});
