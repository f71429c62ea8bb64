import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { checkout } from "../../src/lab/kit/checkout.ts";
import { run } from "../../src/lab/kit/lab-process.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { rounds } from "../lab/campaign.ts";
import {
  debArchitecture,
  environmentFile,
  output,
  packagesProblem,
  rpmArchitecture,
  rpmFile,
} from "../lab/packages.ts";

const made = ["node_modules", "dist", "build", "out", ".git"];

describe("packages that are built a second time", {
  skip: packagesProblem() || requires({ root: true, tools: ["mount"] }),
}, () => {
  const directory = mkdtempSync(join(tmpdir(), "mptcpd-again-"));
  const copy = join(directory, "elsewhere");
  const modules = join(copy, "node_modules");

  before(async () => {
    for (const name of readdirSync(checkout))
      if (!made.includes(name))
        cpSync(join(checkout, name), join(copy, name), {
          recursive: true,
          verbatimSymlinks: true,
          // Or its npm packages would look out of date, and be installed anew.
          preserveTimestamps: true,
        });
    // A link would show in what the bundler makes.
    mkdirSync(modules);
    await run("mount", ["--bind", join(checkout, "node_modules"), modules]);
  });
  after(async () => {
    await run("umount", [modules]);
    rmSync(directory, { recursive: true });
  });

  const said: string[] = [];

  it("in another place, time zone and umask are the same, byte for byte", async () => {
    const { environment, architecture: all }: { environment: Record<string, string>; architecture: string } =
      JSON.parse(readFileSync(environmentFile, "utf8"));
    // Node takes minutes to compress, and the packages of the other kind of machine are made alike.
    const architecture = rounds(debArchitecture, all);
    const builds = rounds(["--nodejs", "--only npm"], ["--nodejs", ""]);
    const packages = rounds(4, architecture === "all" ? 11 : 6);
    const variables = Object.entries({ ...environment, TZ: "Pacific/Auckland" }).map((pair) =>
      pair.join("="),
    );
    for (const choice of builds) {
      const command = `umask 077; exec "$@" ${choice}`;
      const options = ["--output", join(copy, "out"), "--arch", architecture];
      const build = [process.execPath, join(copy, "tools/package.mjs"), ...options];
      said.push(await run("env", [...variables, "sh", "-c", command, "build", ...build]));
    }
    const [first, again] = [digests(output), digests(join(copy, "out"))];
    assert.equal(Object.keys(again).length, packages);
    for (const [name, digest] of Object.entries(again)) assert.equal(digest, first[name], name);
  });

  it("were announced in a line each before they were made, and in one with their size afterwards", () => {
    const lines = said[0]?.split("\n") ?? [];
    assert.equal(lines[0], "building the programs …");
    const machine = rpmArchitecture;
    const at = lines.indexOf(`making the .rpm for ${machine} …`);
    const name = rpmFile(machine, "nodejs").slice(output.length + 1);
    assert.match(lines[at + 1] ?? "", new RegExp(`/out/${name}: [\\d.]+ MiB, installed [\\d.]+ MiB$`));
  });
});

function digests(directory: string): Record<string, string> {
  const packages = readdirSync(directory).filter((name) => /\.(?:deb|rpm|tgz)$/.test(name));
  return Object.fromEntries(
    packages.sort().map((name) => [
      name,
      createHash("sha256")
        .update(readFileSync(join(directory, name)))
        .digest("hex"),
    ]),
  );
}
