import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { run } from "../../src/lab/kit/lab-process.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { npmFile, packagesProblem, version } from "../lab/packages.ts";

const native = `mptcpd-linux-${process.arch}`;

describe("the packages of npm", { skip: packagesProblem() || requires({ tools: ["npm"] }) }, () => {
  const directory = mkdtempSync(join(tmpdir(), "mptcpd-npm-"));
  const at = (path: string) => join(directory, path);
  const program = (name: string, ...args: string[]) => run(at(`node_modules/.bin/${name}`), args);
  const npm = (...args: string[]) => run("npm", ["--prefix", directory, "--offline", "--no-audit", ...args]);

  before(async () => {
    writeFileSync(at("package.json"), "{}");
    await npm(
      "install",
      "--save-optional",
      npmFile("mptcpd"),
      ...["mptcpd-linux-x64", "mptcpd-linux-arm64"].map(npmFile).filter((file) => existsSync(file)),
    );
  });
  after(() => rmSync(directory, { recursive: true }));

  it("are installed without the network: of the native parts, those for this machine", () => {
    const installed = readdirSync(at("node_modules")).filter((name) => !name.startsWith("."));
    assert.deepEqual(installed.sort(), ["mptcpd", native]);
  });

  it("run nothing when they are installed", () => {
    for (const name of ["mptcpd", native]) {
      const manifest = JSON.parse(readFileSync(at(`node_modules/${name}/package.json`), "utf8"));
      assert.equal(manifest.scripts, undefined);
    }
  });

  it("have the pages that README.md leads to", () => {
    for (const name of ["mptcpd", native]) {
      const page = readFileSync(at(`node_modules/${name}/README.md`), "utf8");
      for (const [, target = ""] of page.matchAll(/\]\((?!https?:)([^)\s#]+)/g))
        assert.ok(existsSync(at(`node_modules/${name}/${target}`)), target);
    }
    assert.ok(existsSync(at("node_modules/mptcpd/docs/path-managers.md")));
  });

  it("give mptcpd, mptcpctl and mptcpize", async () => {
    assert.equal(await program("mptcpd", "--version"), `mptcpd ${version}\n`);
    assert.equal(await program("mptcpctl", "--version"), `${version}\n`);
    assert.match(await program("mptcpd", "--help"), /^Usage: mptcpd /);
    assert.match(await program("mptcpize", "status", `${process.pid}`), /^process \d+ \(/);
  });

  it("have the addon, by which mptcpctl asks the kernel", async () => {
    assert.match(await program("mptcpctl", "limits"), /^add_addr_accepted \d+ subflows \d+/);
  });

  it("make programs use MPTCP", async () => {
    const script = `require("node:net").createServer().listen(0, function () { console.log(process.env.LD_PRELOAD); this.close(); })`;
    const preloaded = await program("mptcpize", "run", process.execPath, "-e", script);
    assert.equal(preloaded.trim(), at(`node_modules/${native}/libmptcpwrap.so`));
  });

  it('give import "mptcpd" and what belongs to it', async () => {
    writeFileSync(
      at("import.mjs"),
      `import { definePathManager } from "mptcpd";
       import * as testing from "mptcpd/testing";
       import * as netlink from "mptcpd/netlink";
       import * as kernel from "mptcpd/kernel";
       console.log(typeof definePathManager, ...[testing, netlink, kernel].map((all) => Object.keys(all).length > 0));`,
    );
    assert.equal(await run(process.execPath, [at("import.mjs")]), "function true true true\n");
  });

  it("say what is missing where npm has left the native parts out", async () => {
    rmSync(at(`node_modules/${native}`), { recursive: true });
    await assert.rejects(
      program("mptcpctl", "limits"),
      /the native addon is missing: install the package mptcpd-linux-/,
    );
    await assert.rejects(
      program("mptcpize", "run", "true"),
      /mptcpize: mptcpd-linux-\w+ is missing: install it/,
    );
  });
});
