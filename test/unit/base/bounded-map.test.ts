import assert from "node:assert/strict";
import { it } from "node:test";
import { setLatest } from "../../../src/base/bounded-map.ts";

it("a map of the latest entries forgets what was set longest ago", () => {
  const map = new Map<string, number>();
  for (const [index, key] of ["a", "b", "a", "c", "d"].entries()) setLatest(map, key, index, 3);
  assert.deepEqual(
    [...map],
    [
      ["a", 2],
      ["c", 3],
      ["d", 4],
    ],
  );
});
