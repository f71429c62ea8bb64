import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { didYouMean } from "../../../src/base/words.ts";

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
