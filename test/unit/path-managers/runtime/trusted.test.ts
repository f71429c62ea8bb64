import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { requireTrusted } from "../../../../src/path-managers/runtime/trusted.ts";

/** DIRECTORY/inner/file, and a link to it in DIRECTORY/links. */
function place(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "mptcpd-trusted-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const [inner, links] = [join(directory, "inner"), join(directory, "links")];
  for (const path of [inner, links]) mkdirSync(path, { mode: 0o755 });
  const [file, link] = [join(inner, "file"), join(links, "link")];
  writeFileSync(file, "", { mode: 0o644 });
  symlinkSync("../inner/../inner/file", link);
  return { directory, inner, links, file, link };
}

const isRoot = process.geteuid?.() === 0;

describe("a file that is opened by its path", () => {
  it("is trusted where nobody else could put another one, also by a link", (t) => {
    const { file, link, inner } = place(t);
    requireTrusted(file);
    requireTrusted(link);
    // As in /tmp, where nobody can move what is another's.
    chmodSync(inner, 0o1777);
    requireTrusted(link);
  });

  it("is not where everybody may write to it, or to a directory on the way, that of a link included", (t) => {
    for (const which of ["inner", "links", "directory"] as const) {
      const paths = place(t);
      chmodSync(paths[which], 0o777);
      assert.throws(() => requireTrusted(paths.link), {
        code: "EUNTRUSTED",
        message: `${paths.link}: the directory ${paths[which]} may be written by everybody: take that away with chmod o-w`,
      });
    }
    const { file, link } = place(t);
    chmodSync(file, 0o666);
    assert.throws(() => requireTrusted(link), { code: "EUNTRUSTED" });
  });

  it("is not where one of those is another user's", { skip: !isRoot && "needs root" }, (t) => {
    for (const which of ["inner", "links"] as const) {
      const paths = place(t);
      chownSync(paths[which], 1234, 1234);
      assert.throws(() => requireTrusted(paths.link), {
        message: `${paths.link}: the directory ${paths[which]} belongs to user 1234: it has to be root's, chown root`,
      });
    }
  });

  it("is not where links lead round in a circle", (t) => {
    const { links } = place(t);
    symlinkSync("circle", join(links, "circle"));
    assert.throws(() => requireTrusted(join(links, "circle")), /too many symbolic links/);
  });
});
