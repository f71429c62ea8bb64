import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { checkout } from "../../../src/lab/kit/checkout.ts";

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

describe("npm run package on a machine that lacks what it takes", () => {
  const nothing = mkdtempSync(join(tmpdir(), "mptcpd-path-"));
  after(() => rmSync(nothing, { recursive: true }));

  /** Without any program in the PATH: what it says is missing. */
  function missing(...args: readonly string[]): readonly string[] {
    const tool = join(checkout, "tools/package.mjs");
    const output = ["--output", join(nothing, "out")];
    const { status, stdout, stderr } = spawnSync(process.execPath, [tool, ...output, ...args], {
      encoding: "utf8",
      env: { PATH: nothing, CC: "no-such-compiler" },
    });
    assert.equal(status, 1);
    assert.equal(stdout, "", "nothing was begun");
    const line = /^package: Debian packages are missing; install them as root: apt-get install (.+)\n$/;
    return line.exec(stderr)?.[1]?.split(" ") ?? assert.fail(stderr);
  }

  const all = ["binutils", "checkpolicy", "dpkg", "gcc", "rpm", "scdoc", "semodule-utils", "tar"];

  it("names every package that is missing in one line, before it begins", () => {
    const found = missing();
    assert.deepEqual(
      all.filter((name) => !found.includes(name)),
      [],
    );
  });

  it("asks only for what the chosen kind takes", () => {
    const forRpm = ["checkpolicy", "rpm", "semodule-utils"];
    assert.deepEqual(
      missing("--only", "deb").filter((name) => forRpm.includes(name)),
      [],
    );
    assert.deepEqual(
      missing("--only", "npm").filter((name) => [...forRpm, "scdoc", "dpkg"].includes(name)),
      [],
    );
  });

  it("asks for a cross compiler only where another kind of machine is chosen", () => {
    const isCross = (name: string) => /^gcc-|-cross$/.test(name);
    assert.deepEqual(missing().filter(isCross), []);
    assert.match(missing("--arch", "all").filter(isCross).join(" "), /^gcc-(aarch64|x86-64)-linux-gnu/);
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
