import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkout } from "../../../../src/lab/kit/checkout.ts";

const program = join(checkout, "dist/mptcpd.js");

describe("mptcpd's output", () => {
  for (const option of ["--help", "--usage", "--version"]) {
    it(`${option}: that cannot be written is one line and exit 1`, () => {
      const full = openSync("/dev/full", "w");
      const { status, stderr } = spawnSync(process.execPath, [program, option], {
        stdio: ["ignore", full, "pipe"],
      });
      closeSync(full);
      assert.match(String(stderr), /^mptcpd: cannot write the output: ENOSPC[^\n]*\n$/);
      assert.equal(status, 1);
    });
  }

  it("may be cut short by whoever reads it", () => {
    const command = `"${process.execPath}" "${program}" --help | head -c 1`;
    const { status, stderr } = spawnSync("bash", ["-o", "pipefail", "-c", command], { encoding: "utf8" });
    assert.equal(stderr, "");
    assert.equal(status, 0);
  });
});
