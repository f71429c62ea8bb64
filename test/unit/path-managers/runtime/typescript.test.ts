import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { checkout } from "../../../../src/lab/kit/checkout.ts";

const examples = ["wifi-first.ts", "wifi-first.test.ts", "everywhere.ts"];

/** Runs Node as docs/path-managers.md says, in a directory that knows nothing of mptcpd. */
function node(t: TestContext, file: string, more: Readonly<Record<string, string>> = {}) {
  const directory = mkdtempSync(join(tmpdir(), "mptcpd-typescript-"));
  t.after(() => rmSync(directory, { recursive: true }));
  for (const name of examples) copyFileSync(join(checkout, "docs/examples", name), join(directory, name));
  for (const [name, text] of Object.entries(more)) writeFileSync(join(directory, name), text);
  const args = ["--import", join(checkout, "dist/lib/typescript.js"), file];
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return spawnSync(process.execPath, args, { cwd: directory, env, encoding: "utf8" });
}

describe("mptcpd/typescript", () => {
  it("runs a test in TypeScript that lies anywhere, with nothing installed", (t) => {
    const { status, stdout, stderr } = node(t, "wifi-first.test.ts");
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout, /the modem is a backup of the Wi-Fi/);
  });

  it("runs the path manager of the README", (t) => {
    const test = `
      import assert from "node:assert/strict";
      import { simulate } from "mptcpd/testing";
      import everywhere from "./everywhere.ts";
      const simulation = await simulate(everywhere, { interfaces: { eth1: ["10.0.1.2"], eth2: ["10.0.2.2"] } });
      const ours = simulation.connect({ from: "10.0.1.2", to: "10.0.9.9" });
      const theirs = simulation.connect({ from: "10.0.9.9", to: "10.0.1.2" });
      await simulation.settle();
      assert.deepEqual(ours.subflows, ["10.0.1.2 > 10.0.9.9", "10.0.2.2 > 10.0.9.9"]);
      assert.equal(theirs.subflows.length, 1);
      assert.equal(simulation.faults, 0);
    `;
    const { status, stdout, stderr } = node(t, "everywhere.test.ts", { "everywhere.test.ts": test });
    assert.equal(status, 0, stdout + stderr);
  });

  it("leaves lines where they are, so that errors name the right ones", (t) => {
    const wrong =
      'interface Unused {\n  a: string;\n}\nimport wifiFirst from "./wifi-first.ts";\nthrow new Error(wifiFirst.name);\n';
    const { status, stderr } = node(t, "wrong.ts", { "wrong.ts": wrong });
    assert.equal(status, 1);
    assert.match(stderr, /wrong\.ts:5/);
    assert.match(stderr, /Error: wifi-first/);
  });
});
