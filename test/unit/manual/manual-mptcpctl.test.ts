import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultConfigFile } from "../../../src/control/config/config.ts";
import { describeProgram } from "../../../src/programs/mptcpctl/command-line.ts";
import { endingSignals, exitCodes } from "../../../src/programs/mptcpctl/io/output.ts";
import { commandsOf, documentedCommands, termsOfOptions } from "./commands.ts";
import { namesOf, readPage, termsOf } from "./page.ts";

const page = "mptcpctl.8";
const program = describeProgram();
const commandSections = ["Endpoints", "Limits", "Connections", "Policy of mptcpd", "Recordings", "Reports"];

const byTerm = (a: { term: string }, b: { term: string }) => (a.term < b.term ? -1 : 1);

describe("mptcpctl(8)", () => {
  it("has the program's options, and no others", () => {
    assert.deepEqual(termsOf(page, "OPTIONS").toSorted(), termsOfOptions(program).toSorted());
  });

  it("has the program's commands with their words and options, and no others", () => {
    const sections = readPage(page).filter(({ title }) => commandSections.includes(title));
    assert.equal(sections.length, commandSections.length);
    const documented = documentedCommands(sections.flatMap(({ definitions }) => definitions));
    assert.deepEqual(documented.toSorted(byTerm), commandsOf(program).toSorted(byTerm));
  });

  it("has every command in its synopsis", () => {
    const synopsis = readPage(page).find(({ title }) => title === "SYNOPSIS")?.text ?? "";
    for (const { name, commands } of program.commands.map((command) => ({
      name: command.name(),
      commands: command.commands,
    }))) {
      const line = synopsis.split("\n").find((text) => new RegExp(`[ |]${name}\\b`).test(text));
      assert.ok(line !== undefined, name);
      for (const below of commands) assert.match(line, new RegExp(`[ [|]${below.name()}\\b`));
    }
  });

  it("has the program's exit statuses, and no others", () => {
    const codes = Object.values(exitCodes).map(String);
    assert.deepEqual(termsOf(page, "EXIT STATUS").toSorted(), codes.toSorted());
  });

  it("has the signals that end a command in good order, and no others", () => {
    assert.deepEqual(namesOf(page, "SIGNALS").toSorted(), [...endingSignals].toSorted());
  });

  it("has mptcpd's file", () => {
    assert.ok(termsOf(page, "FILES").includes(defaultConfigFile));
  });
});
