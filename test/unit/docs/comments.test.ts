import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkout } from "../../../src/lab/kit/checkout.ts";

/** Columns. The formatter wraps code, but not comments. */
const WIDEST = 120;

describe("the lines of comments", () => {
  it(`have at most ${WIDEST} columns`, () => {
    const wide = ["src", "test", "tools", "bench"].flatMap(sources).flatMap((file) => {
      const lines = readFileSync(join(checkout, file), "utf8").split("\n");
      return lines.flatMap((line, i) => (isComment(line) && line.length > WIDEST ? `${file}:${i + 1}` : []));
    });
    assert.deepEqual(wide, []);
  });
});

function sources(directory: string): string[] {
  const names = readdirSync(join(checkout, directory), { encoding: "utf8", recursive: true });
  return names.filter((name) => /\.(ts|mjs)$/.test(name)).map((name) => join(directory, name));
}

function isComment(line: string): boolean {
  return /^\s*(\/\/|\/\*\*|\*) /.test(line);
}
