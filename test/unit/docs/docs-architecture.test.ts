import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { checkout } from "../../../src/lab/kit/checkout.ts";

const page = readFileSync(join(checkout, "docs/architecture.md"), "utf8");
const source = join(checkout, "src");

/** The directories of src/ from top to bottom; those of a row are beside each other. */
const layers = [...page.matchAll(/^\| (`[a-z/-]+[a-z]`(?:, `[a-z/-]+[a-z]`)*) \| .* \|$/gm)].map(
  ([, names = ""]) => names.split(", ").map((name) => name.slice(1, -1)),
);

describe("docs/architecture.md", () => {
  it("has every directory of src that has code, and no other", () => {
    assert.deepEqual(layers.flat().sort(), [...new Set(sources().map((file) => dirname(file)))].sort());
  });

  it("is right about imports: they run downwards", () => {
    const wrong = sources().flatMap((file) =>
      importsOf(file).filter(({ from, to }) => from !== to && !(layerOf(from) < layerOf(to))),
    );
    assert.deepEqual(wrong, []);
  });

  it("names at most eight rooms, each of which says in a README what it is", () => {
    const rooms = readdirSync(source, { withFileTypes: true });
    assert.ok(rooms.length <= 8, `${rooms.length} rooms`);
    const silent = rooms.filter((room) => !existsSync(join(source, room.name, "README.md")));
    assert.deepEqual(
      silent.map(({ name }) => name),
      [],
    );
  });
});

function sources(): string[] {
  const names = readdirSync(source, { encoding: "utf8", recursive: true });
  return names.filter((name) => name.endsWith(".ts"));
}

/** Which directory of src imports from which. */
function importsOf(file: string): { from: string; to: string; file: string }[] {
  const text = readFileSync(join(source, file), "utf8");
  const imports = [...text.matchAll(/(?:from |import |import\()"(\.[^"]+)"/g)].map(([, path = ""]) => path);
  return imports.map((path) => ({ from: dirname(file), to: dirname(join(dirname(file), path)), file }));
}

/** Its row; a directory that has none is above all others, and nothing may import from it. */
function layerOf(directory: string): number {
  return layers.findIndex((layer) => layer.includes(directory));
}
