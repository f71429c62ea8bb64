import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkout } from "../lab/checkout.ts";

const page = readFileSync(join(checkout, "docs/architecture.md"), "utf8");
const source = join(checkout, "src");

/** The directories of src/ from top to bottom; those of a row are beside each other. */
const layers = [...page.matchAll(/^\| (`[a-z-]+`(?:, `[a-z-]+`)*) \| .* \|$/gm)].map(([, names = ""]) =>
  names.split(", ").map((name) => name.slice(1, -1)),
);

describe("docs/architecture.md", () => {
  it("has every directory of src, and no other", () => {
    const directories = readdirSync(source, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    assert.deepEqual(layers.flat().sort(), directories.map(({ name }) => name).sort());
  });

  it("is right about imports: they run downwards", () => {
    const wrong = sources().flatMap((file) =>
      importsOf(file).filter(([from, to]) => from !== to && !(layerOf(from) < layerOf(to))),
    );
    assert.deepEqual(wrong, []);
  });
});

function sources(): string[] {
  const names = readdirSync(source, { encoding: "utf8", recursive: true });
  return names.filter((name) => name.endsWith(".ts") && name.includes("/"));
}

/** Which directory of src imports from which. */
function importsOf(file: string): [from: string, to: string, file: string][] {
  const [from = ""] = file.split("/");
  const text = readFileSync(join(source, file), "utf8");
  const imports = [...text.matchAll(/(?:from|import) "(\.[^"]+)"/g)].map(([, path = ""]) => path);
  const targets = imports.map((path) => join(file, "..", path)).filter((path) => /^[a-z-]+\//.test(path));
  return targets.map((path) => [from, path.split("/")[0] ?? "", file]);
}

function layerOf(directory: string): number {
  return layers.findIndex((layer) => layer.includes(directory));
}
