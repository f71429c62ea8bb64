import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { version } from "../../../src/base/version.ts";
import { checkout } from "../../../src/lab/kit/checkout.ts";
import { requires } from "../../../src/lab/kit/requires.ts";
import { pageNames, readPage } from "./page.ts";

const tool = join(checkout, "tools/manual.mjs");
const names = ["mptcpctl.8", "mptcpd-plugins.7", "mptcpd.8", "mptcpd.conf.5", "mptcpize.8"];

describe("the manual", () => {
  it("has a page for each program, the configuration, and plugins", () => {
    assert.deepEqual(pageNames().toSorted(), names);
  });

  for (const name of names)
    it(`has the usual sections in ${name}, in the usual order`, () => {
      const usual = [
        "NAME",
        "SYNOPSIS",
        "DESCRIPTION",
        "OPTIONS",
        "COMMANDS",
        "SERVICE",
        "SIGNALS",
        "EXIT STATUS",
      ];
      usual.push("ENVIRONMENT", "FILES", "EXAMPLES", "NOTES", "SEE ALSO");
      const titles = readPage(name).map(({ title }) => title);
      const found = usual.filter((title) => titles.includes(title));
      assert.deepEqual(
        titles.filter((title) => usual.includes(title)),
        found,
      );
      const asked = ["NAME", "DESCRIPTION", "FILES", "EXAMPLES", "SEE ALSO"];
      if (name.endsWith(".8")) asked.push("SYNOPSIS", "OPTIONS", "EXIT STATUS", "ENVIRONMENT");
      for (const title of asked) assert.ok(titles.includes(title), title);
    });

  it("refers to pages of its own that there are", () => {
    for (const name of names)
      for (const { text } of readPage(name))
        for (const [reference, page, section] of text.matchAll(/(?<![\w-])(mptcp[a-z.-]*)\((\d)\)/g))
          assert.ok(names.includes(`${page}.${section}`), `${name}: ${reference}`);
  });
});

describe("tools/manual.mjs", { skip: requires({ tools: ["scdoc", "mandoc", "man"] }) }, () => {
  let directory = "";
  const made = (run: string) => join(directory, run);
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "mptcpd-manual-"));
    for (const run of ["first", "second"]) make(made(run));
  });
  after(() => rmSync(directory, { recursive: true }));

  it("makes all pages, the same bytes every time", () => {
    assert.deepEqual(readdirSync(made("first")).sort(), names);
    for (const name of names)
      assert.deepEqual(readFileSync(join(made("first"), name)), readFileSync(join(made("second"), name)));
  });

  for (const name of names) {
    it(`makes ${name} such that mandoc has nothing to warn of`, () => {
      // Left out is its advice about the style of the source, which scdoc wrote: lines of more than 80 bytes.
      const { status, stdout } = spawnSync("mandoc", ["-Tlint", "-W", "warning", join(made("first"), name)], {
        encoding: "utf8",
      });
      assert.deepEqual({ status, stdout }, { status: 0, stdout: "" });
    });

    it(`makes ${name} such that man shows it without a warning`, () => {
      const { status, stdout, stderr } = spawnSync("man", ["--warnings", "-l", join(made("first"), name)], {
        encoding: "utf8",
        env: { ...process.env, LC_ALL: "C.UTF-8", MANWIDTH: "80" },
      });
      assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
      assert.match(stdout, new RegExp(`mptcpd ${version.replaceAll(".", "\\.")} `));
      for (const { title } of readPage(name)) assert.ok(stdout.includes(title), title);
    });
  }

  for (const [program, command] of Object.entries({
    man: ["man", "-l"],
    mandoc: ["mandoc", "-T", "utf8", "-O", "width=80"],
  }))
    it(`makes pages that ${program} shows in 80 columns without parting a word`, () => {
      for (const name of names) {
        const [file = "", ...options] = [...command, join(made("first"), name)];
        const text = execFileSync(file, options, {
          encoding: "utf8",
          env: { ...process.env, LC_ALL: "C.UTF-8", MANWIDTH: "80" },
        });
        // "x\bx" is bold on a printer.
        const lines = text.replaceAll(/.[\b]/gu, "").split("\n");
        assert.deepEqual(
          lines.filter((line) => /\S[-\u2010\u2212]$/u.test(line)),
          [],
          name,
        );
        assert.deepEqual(
          lines.filter((line) => /\u2010|\u2212/u.test(line)),
          [],
          `${name}: copied, it is no option`,
        );
      }
    });

  it("takes the date from SOURCE_DATE_EPOCH", () => {
    make(made("dated"), { SOURCE_DATE_EPOCH: "1000000000" });
    assert.match(readFileSync(join(made("dated"), "mptcpd.8"), "utf8"), /^\.TH "MPTCPD" "8" "2001-09-09"/m);
  });

  it("has the date of packages where there is no commit", () => {
    const copy = made("copy");
    for (const name of ["man", "tools", "package.json"])
      cpSync(join(checkout, name), join(copy, name), { recursive: true });
    const env = { ...process.env, SOURCE_DATE_EPOCH: "" };
    execFileSync(process.execPath, [join(copy, "tools/manual.mjs"), made("undated")], { env });
    const packages = 'import("./tools/package/files.mjs").then((files) => console.log(files.sourceDate))';
    const told = execFileSync(process.execPath, ["--eval", packages], { cwd: copy, env, encoding: "utf8" });
    const day = new Date(Number(told) * 1000).toISOString().slice(0, 10);
    const page = readFileSync(join(made("undated"), "mptcpd.8"), "utf8");
    assert.equal(/^\.TH "MPTCPD" "8" "([\d-]+)"/m.exec(page)?.[1], day);
  });

  it("says how it is called", () => {
    for (const words of [[], ["a", "b"], ["--help"]]) {
      const { status, stderr } = spawnSync(process.execPath, [tool, ...words], { encoding: "utf8" });
      assert.deepEqual(
        { status, stderr },
        { status: 64, stderr: "manual: usage: node tools/manual.mjs DIRECTORY\n" },
      );
    }
  });

  it("says what is missing", () => {
    const { status, stderr } = spawnSync(process.execPath, [tool, made("none")], {
      encoding: "utf8",
      env: { PATH: "/nonexistent" },
    });
    assert.equal(stderr, "manual: scdoc was not found: install it (Debian: apt install scdoc)\n");
    assert.equal(status, 1);
  });
});

function make(directory: string, environment: NodeJS.ProcessEnv = {}): void {
  execFileSync(process.execPath, [tool, directory], { env: { ...process.env, ...environment } });
}
