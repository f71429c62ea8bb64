import assert from "node:assert/strict";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isOpenToOthers, isPermitted } from "../../../../src/programs/mptcpd/check-readable.ts";
import { temporaryDirectory } from "../../temporary.ts";

const us = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, groups: [] };
const stranger = { uid: 61_234, gid: 61_234, groups: [] };

describe("what another user may do with a file", () => {
  it("is what its mode says of the owner, the group or others, the first that fits", (t) => {
    const path = fileIn(temporary(t));
    const ofGroup = { ...stranger, groups: [us.gid] };
    const cases: readonly [number, readonly boolean[]][] = [
      [0o600, [false, false]],
      [0o640, [true, false]],
      [0o644, [true, true]],
      [0o604, [false, true]],
      [0o711, [false, false]],
    ];
    for (const [mode, expected] of cases) {
      chmodSync(path, mode);
      const found = [ofGroup, stranger].map((who) => isPermitted(who, { path, how: "read" }));
      assert.deepEqual(found, expected, mode.toString(8));
    }
    assert.ok(isPermitted(stranger, { path, how: "execute" }));
  });

  it("ends at a directory that they may not pass, also one that a link leads through", (t) => {
    const directory = temporary(t);
    mkdirSync(join(directory, "closed"), { mode: 0o700 });
    const path = fileIn(join(directory, "closed"));
    symlinkSync(path, join(directory, "link"));
    for (const one of [path, join(directory, "link")]) {
      assert.equal(isPermitted(stranger, { path: one, how: "read" }), false);
      assert.equal(isOpenToOthers({ path: one, how: "read" }), true, "the file itself is");
    }
    chmodSync(join(directory, "closed"), 0o711);
    assert.ok(isPermitted(stranger, { path, how: "read" }));
  });

  it("is everything for root, but to execute what nobody may", (t) => {
    const path = fileIn(temporary(t));
    chmodSync(path, 0o000);
    const root = { uid: 0, gid: 0, groups: [] };
    assert.ok(isPermitted(root, { path, how: "read" }));
    assert.equal(isPermitted(root, { path, how: "execute" }), false);
  });
});

describe("a file that has gone meanwhile", () => {
  it("is not said to be closed to others", (t) => {
    assert.ok(isOpenToOthers({ path: join(temporary(t), "gone"), how: "read" }));
  });
});

/** One that others may pass. */
function temporary(t: Parameters<typeof temporaryDirectory>[0]): string {
  const directory = temporaryDirectory(t);
  chmodSync(directory, 0o755);
  return directory;
}

function fileIn(directory: string): string {
  const path = join(directory, "file");
  writeFileSync(path, "");
  chmodSync(path, 0o644);
  return path;
}
