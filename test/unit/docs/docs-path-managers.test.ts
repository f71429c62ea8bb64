import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkout } from "../../../src/lab/kit/checkout.ts";
import { builtIn } from "../../../src/path-managers/built-in/index.ts";
import { handlerNames } from "../../../src/path-managers/runtime/handler-calls.ts";

const docs = join(checkout, "docs");
const page = readFileSync(join(docs, "path-managers.md"), "utf8");
const readme = readFileSync(join(checkout, "README.md"), "utf8");

describe("docs/path-managers.md", () => {
  for (const file of readdirSync(join(docs, "examples")))
    it(`or README.md shows ${file} as it is`, () => {
      const text = readFileSync(join(docs, "examples", file), "utf8");
      assert.ok(page.includes(text) || readme.includes(text));
    });

  it("has every event", () => {
    for (const name of handlerNames) assert.ok(page.includes(`\`${name}\``), name);
  });

  it("leads to a page for each built-in path manager, with all of its options", () => {
    for (const { name, options } of builtIn.values()) {
      assert.ok(page.includes(`(path-managers/${name}.md)`), name);
      const text = readFileSync(join(docs, "path-managers", `${name}.md`), "utf8");
      const keys = options !== undefined && "entries" in options ? Object.keys(options.entries ?? {}) : [];
      for (const key of keys) assert.ok(text.includes(`| \`${key}\` |`), `${name} ${key}`);
    }
  });
});
