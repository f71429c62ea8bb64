import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkout } from "../lab/checkout.ts";

describe("npm run package -- --stage DIRECTORY", () => {
  it("is refused for a directory with something in it, which stays", (t) => {
    const directory = mkdtempSync(join(tmpdir(), "mptcpd-stage-"));
    t.after(() => rmSync(directory, { recursive: true }));
    writeFileSync(join(directory, "mine"), "precious");
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(checkout, "tools/package.mjs"), "--stage", directory],
      { encoding: "utf8" },
    );
    assert.deepEqual(
      { status, stdout, stderr },
      {
        status: 1,
        stdout: "",
        stderr: `package: --stage=${directory}: the directory is not empty; name one that is, or that is not there\n`,
      },
    );
    assert.deepEqual(readdirSync(directory), ["mine"]);
    assert.equal(readFileSync(join(directory, "mine"), "utf8"), "precious");
  });
});

describe("a tool that packages are made with", () => {
  it("is named where it is missing, with the package that has it", () => {
    const script = `import { runTool } from "${checkout}/tools/package/tool.mjs"; runTool("no-such-tool", [], "some-tools")`;
    const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
      encoding: "utf8",
    });
    assert.equal(status, 1);
    assert.match(stderr, /Error: no-such-tool was not found: install it \(Debian: apt install some-tools\)/);
  });
});
