import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { checkout } from "../../../src/lab/kit/checkout.ts";

type Built = {
  isBuilt: (options: readonly string[], root: string) => boolean;
  markBuilt: (options: readonly string[], begun: Date, root: string) => void;
};

const { isBuilt, markBuilt }: Built = await import(join(checkout, "tools/built.mjs"));

/** A checkout whose files are of a minute ago, built at this moment. */
function built(t: TestContext, options: readonly string[] = []): string {
  const root = mkdtempSync(join(tmpdir(), "mptcpd-built-"));
  t.after(() => rmSync(root, { recursive: true }));
  for (const name of ["src/kernel", "build", "dist"]) mkdirSync(join(root, name), { recursive: true });
  for (const name of ["src/kernel/a.ts", "src/kernel/b.ts", "dist/mptcpd.js"])
    writeFileSync(join(root, name), "");
  const before = new Date(Date.now() - 60_000);
  for (const name of ["src/kernel/a.ts", "src/kernel/b.ts", "src/kernel", "src"])
    utimesSync(join(root, name), before, before);
  markBuilt(options, new Date(), root);
  return root;
}

describe("a checkout that has been built", () => {
  it("is built again when a file was changed or removed, and not before", (t) => {
    const root = built(t);
    assert.equal(isBuilt([], root), true);
    const later = new Date(Date.now() + 60_000);
    utimesSync(join(root, "src/kernel/a.ts"), later, later);
    assert.equal(isBuilt([], root), false);
    const other = built(t);
    rmSync(join(other, "src/kernel/b.ts"));
    // Within the resolution of the file system's clock.
    utimesSync(join(other, "src/kernel"), later, later);
    assert.equal(isBuilt([], other), false);
  });

  it("is built again for what was left out, or is gone", (t) => {
    const root = built(t, ["--asan"]);
    assert.deepEqual([isBuilt([], root), isBuilt(["--asan"], root)], [true, true]);
    assert.equal(isBuilt(["--asan"], built(t)), false);
    assert.equal(isBuilt(["--programs-only"], root), true, "a whole build has the programs");
    rmSync(join(root, "dist/mptcpd.js"));
    assert.equal(isBuilt([], root), false);
  });
});
