import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { remember } from "../../../src/base/remember.ts";

describe("a result that is remembered", () => {
  it("is computed once for each key and setting", () => {
    let computed = 0;
    const count = remember((_key: object, _setting: unknown) => ++computed);
    const [key, setting] = [{}, {}];
    assert.deepEqual([count(key, setting), count(key, setting)], [1, 1]);
    assert.deepEqual([count(key, {}), count({}, setting), count(key, setting)], [2, 3, 4]);
  });

  it("may be that there is nothing", () => {
    let computed = 0;
    const count = remember((_key: object, _setting: unknown): undefined => void computed++);
    const key = {};
    count(key, undefined);
    count(key, undefined);
    assert.equal(computed, 1);
  });
});
