import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkout } from "../../../src/lab/kit/checkout.ts";
import { describeProgram } from "../../../src/programs/mptcpize/command-line.ts";
import { exitCodes } from "../../../src/programs/mptcpize/output.ts";
import { dropInDirectories, dropInName } from "../../../src/services/drop-in.ts";
import { lockPath } from "../../../src/services/lock.ts";
import { problemCodes } from "../../../src/services/status-problems.ts";
import { hows, optionPolicies, ways } from "../../../src/services/ways.ts";
import { type OptionClass, optionTable } from "../../lab/option-table.ts";
import { commandsOf, documentedCommands, termsOfOptions } from "./commands.ts";
import { sectionOf, termsOf } from "./page.ts";

const page = "mptcpize.8";
const program = describeProgram();
const launcher = join(checkout, "dist/mptcpize");
const launcherSource = (name: string) => readFileSync(join(checkout, "native/launcher", name), "utf8");

const byTerm = (a: { term: string }, b: { term: string }) => (a.term < b.term ? -1 : 1);

/** What a C source has between two texts. */
function between(source: string, begin: string, end: string): string {
  const [, after] = source.split(begin, 2);
  const part = after?.split(end, 1)[0];
  return part ?? assert.fail(`the launcher has no ${begin}`);
}

describe("mptcpize(8)", () => {
  it("has the program's options, and no others", () => {
    assert.deepEqual(termsOf(page, "OPTIONS").toSorted(), termsOfOptions(program).toSorted());
  });

  it("has the program's commands with their options, and no others", () => {
    const documented = documentedCommands(sectionOf(page, "COMMANDS").definitions);
    const described = [...commandsOf(program), { term: "mptcpize help [COMMAND]", options: [] }];
    assert.deepEqual(documented.toSorted(byTerm), described.toSorted(byTerm));
  });

  it("has the ways, and no others", () => {
    assert.deepEqual(termsOf(page, "WAYS").toSorted(), [...ways].toSorted());
    const [run] = sectionOf(page, "COMMANDS").definitions;
    const how = run?.below.find(({ term }) => term.startsWith("--how"))?.text ?? "";
    for (const name of hows) assert.match(how, new RegExp(`\\b${name}\\b`));
  });

  it("has the answers to socket options, and the table by which they are given", () => {
    const { blocks, definitions } = sectionOf(page, "SOCKET OPTIONS");
    const terms = definitions.map(({ term }) => term);
    assert.deepEqual(terms.slice(0, 3).toSorted(), [...optionPolicies].toSorted());
    const classes: Record<OptionClass, string> = {
      HINT: "hint",
      HINT_EXCEPT_1_255: "hint*",
      OPTIONAL: "optional",
      SEMANTIC: "semantic",
    };
    const documented = blocks.flatMap((block) =>
      Array.from(block.matchAll(/^(\S+) +(\S+) +(.*)$/gm), ([, ...row]) => row),
    );
    const expected = optionTable().map((row) => [row.name, classes[row.class], row.reason]);
    assert.deepEqual(documented, expected);
  });

  it("has the problems that status tells, and no others", () => {
    assert.deepEqual(termsOf(page, "PROBLEMS").toSorted(), [...problemCodes].toSorted());
  });

  it("has the exit statuses of the program and of its launcher, and no others", () => {
    const ofLauncher = between(launcherSource("message.h"), "enum exit_code {", "};").matchAll(/= (\d+),/g);
    const codes = new Set([
      ...Object.values(exitCodes).map(String),
      ...Array.from(ofLauncher, ([, code]) => code),
    ]);
    assert.deepEqual(termsOf(page, "EXIT STATUS").toSorted(), [...codes].toSorted());
  });

  it("has the program's files", () => {
    const directories = dropInDirectories({ user: false });
    const files = termsOf(page, "FILES");
    assert.ok(files.includes(`${directories.persistent}/UNIT.d/${dropInName}`));
    assert.ok(files.includes(lockPath(directories)));
  });
});

describe("mptcpize run", () => {
  const run = program.commands.find((command) => command.name() === "run") ?? assert.fail();
  const described = run.createHelp().visibleOptions(run);

  it("has the same long options in the launcher and in its help", () => {
    const table = between(launcherSource("options.c"), "struct option known[] = {", "};");
    const known = Array.from(table.matchAll(/\{"([a-z0-9-]+)",/g), ([, name]) => `--${name}`);
    // What the launcher is asked by src/services, and nobody else.
    const internal = "--env";
    assert.ok(known.includes(internal));
    const shown = described.flatMap(({ long }) => long ?? []);
    assert.deepEqual(known.filter((name) => name !== internal).toSorted(), shown.toSorted());
  });

  it("has a launcher that takes every option that its help shows", () => {
    for (const { short, long, required, argChoices } of described)
      for (const name of [short, long]) {
        if (name === undefined) continue;
        const value = required ? [argChoices?.[0] ?? "x"] : [];
        const { status, stderr } = spawnSync(launcher, ["run", "--dry-run", name, ...value, "true"], {
          encoding: "utf8",
        });
        assert.equal(status, 0, `${name}: ${stderr}`);
      }
  });

  it("has a launcher that takes the ways that its help shows", () => {
    const how = described.find(({ long }) => long === "--how");
    assert.deepEqual(how?.argChoices, hows);
    assert.throws(
      () => execFileSync(launcher, ["run", "--how=x", "true"], { stdio: "pipe" }),
      new RegExp(`allowed are ${hows.join(", ")}`),
    );
  });

  it("has a launcher that takes the answers to socket options that its help shows", () => {
    const answers = described.find(({ long }) => long === "--options");
    assert.deepEqual(answers?.argChoices, optionPolicies);
    for (const answer of optionPolicies)
      execFileSync(launcher, ["run", "--dry-run", `--options=${answer}`, "true"], { stdio: "pipe" });
  });
});
