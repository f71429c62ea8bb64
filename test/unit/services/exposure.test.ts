import assert from "node:assert/strict";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { exposureOf } from "../../../src/services/exposure.ts";
import { temporaryDirectory } from "../temporary.ts";

/** A directory of units with UNIT.d and two files in it. */
function units(t: TestContext) {
  const top = temporaryDirectory(t);
  const system = join(top, "etc/system");
  const directory = join(system, "web.service.d");
  mkdirSync(directory, { recursive: true });
  const dropIn = join(directory, "50-mptcpize.conf");
  for (const file of [dropIn, join(directory, "90-own.conf")]) writeFileSync(file, "", { mode: 0o644 });
  for (const path of [directory, system, join(top, "etc")]) chmodSync(path, 0o755);
  return { top, system, directory, dropIn };
}

describe("drop-ins of a unit", () => {
  it("that only their owner can write to are nothing to warn of; nor are those that are not there", (t) => {
    const { dropIn, top } = units(t);
    assert.deepEqual(exposureOf("web.service", [dropIn, join(top, "none/web.service.d/x.conf")]), []);
  });

  it("cause a warning where everybody may write to them, to another file beside them, or to a directory above", (t) => {
    const { top, system, directory, dropIn } = units(t);
    const other = join(directory, "90-own.conf");
    for (const path of [dropIn, other, directory, system, join(top, "etc")]) {
      chmodSync(path, 0o777);
      assert.deepEqual(exposureOf("web.service", [dropIn]), [
        `everybody may write to ${path}, and so decide what web.service runs: chmod o-w ${path}`,
      ]);
      chmodSync(path, 0o755);
    }
  });

  it("can be added to a sticky directory; high above, it does no harm", (t) => {
    const { top, directory, dropIn } = units(t);
    chmodSync(join(top, "etc"), 0o1777);
    assert.deepEqual(exposureOf("web.service", [dropIn]), []);
    chmodSync(directory, 0o1777);
    assert.equal(exposureOf("web.service", [dropIn]).length, 1);
  });

  it("are looked at where they lie, whatever link leads there", (t) => {
    const { top, directory, system } = units(t);
    const moved = join(top, "moved.d");
    mkdirSync(moved);
    chmodSync(moved, 0o777);
    symlinkSync(moved, join(system, "db.service.d"));
    const lines = exposureOf("db.service", [join(system, "db.service.d/50-mptcpize.conf")]);
    assert.deepEqual(
      lines.map((line) => line.includes(moved)),
      [true],
    );
    assert.ok(!lines.join().includes(directory));
  });
});
