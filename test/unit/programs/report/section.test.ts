import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { askTool } from "../../../../src/programs/report/section.ts";

describe("a tool that a report asks", () => {
  it("is heard, with no environment but PATH and an untranslated LC_ALL", async () => {
    const { stdout } = await askTool("env", []);
    assert.deepEqual(
      stdout
        .trim()
        .split("\n")
        .map((line) => line.split("=")[0]),
      ["PATH", "LC_ALL"],
    );
  });

  it("is said to be missing, to have failed, to take too long", async () => {
    await assert.rejects(askTool("no-such-tool", []), { message: "no-such-tool is not installed" });
    await assert.rejects(askTool("ls", ["/nowhere/x"]), { message: /^ls failed: ls: cannot access .+$/ });
    await assert.rejects(askTool("false", []), { message: "false failed: exit code 1" });
    const started = performance.now();
    await assert.rejects(askTool("sleep", ["30"], 100), { message: "sleep did not end within 0.1 s" });
    assert.ok(performance.now() - started < 20_000);
  });
});
