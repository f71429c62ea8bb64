import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { removalDiff, withoutUpstreamLines } from "../../../src/services/upstream.ts";
import { temporaryDirectory } from "../temporary.ts";

const line = "Environment=LD_PRELOAD=/usr/lib/x86_64-linux-gnu/mptcpize/libmptcpwrap.so.0.0.1";

describe("what the C mptcpize left in a unit file", () => {
  it("is its one line, and no other", () => {
    const own = "[Service]\nEnvironment=A=1\nEnvironment=LD_PRELOAD=/own.so\nExecStart=/usr/sbin/web\n";
    assert.equal(withoutUpstreamLines(own.replace("]\n", `]\n${line}\n`)), own);
    assert.equal(withoutUpstreamLines(own), undefined);
    assert.equal(withoutUpstreamLines(`# ${line}\n`), undefined);
    assert.equal(withoutUpstreamLines(`${line}:/own.so\n`), undefined);
    assert.equal(withoutUpstreamLines("Environment=LD_PRELOAD=/opt/libmptcpwrap.so.1.2\r\n"), undefined);
    assert.equal(withoutUpstreamLines(`[Service]\n${line}`), "[Service]");
  });

  it("is shown as a diff that patch(1) would take", (t) => {
    const plain = Array.from({ length: 30 }, (_, index) => `line ${index}`);
    for (const places of [[0], [29], [4, 9], [4, 10], [4, 11], [4, 20], [1, 2], [12]]) {
      const old = plain.flatMap((text, index) => (places.includes(index) ? [line, text] : [text]));
      const before = `${old.join("\n")}\n`;
      const after = withoutUpstreamLines(before) ?? "";
      const directory = temporaryDirectory(t);
      const [from, to] = [join(directory, "before"), join(directory, "after")];
      writeFileSync(from, before);
      writeFileSync(to, after);
      const { stdout } = spawnSync("diff", ["-u", from, to], { encoding: "utf8" });
      const hunks = (text: string) => text.split("\n").slice(2).join("\n");
      assert.equal(hunks(removalDiff("x", before, after)), hunks(stdout), `lines before ${places}`);
      assert.equal(readFileSync(to, "utf8"), `${plain.join("\n")}\n`);
    }
  });
});
