import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { picturesOf, renewPage } from "../../../bench/page.ts";
import { readResults } from "../../../bench/results.ts";
import { checkout } from "../../../src/lab/kit/checkout.ts";

const results = readResults(join(checkout, "bench/results.json"));
const read = (path: string) => readFileSync(join(checkout, "docs", path), "utf8");

/** `npm run bench -- --docs` mends what is not so. */
describe("the page about benchmarks", () => {
  const page = read("benchmarks.md");

  it("has the tables that bench/results.json gives", () => {
    assert.equal(renewPage(page, results), page);
  });

  for (const [name, picture] of picturesOf(results))
    it(`has the picture ${name} that bench/results.json gives, and says what is on it`, () => {
      assert.equal(read(join("pictures", name)), picture);
      assert.match(page, new RegExp(`!\\[[^\\]]{40,}\\]\\(pictures/${name}\\)`));
    });
});
