import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Page, stepsOf } from "../../lab/document.ts";
import { Shown } from "../../lab/shown.ts";

const matches = (shown: string, written: string) => new Shown().matches(shown.split("\n"), written);

describe("pages whose commands are run", () => {
  it("are taken apart into sections, files and commands with what they write", () => {
    const rows = [
      "# Title",
      "```ini /etc/a.conf",
      "[core]",
      "# no heading",
      "```",
      "## Second",
      "```console",
    ];
    const page = new Page("page.md", [...rows, "# ls", "a", "b", "$ true", "```"].join("\n"));
    assert.deepEqual(
      page.sections.map(({ title, line }) => [title, line]),
      [
        ["", 1],
        ["Title", 1],
        ["Second", 6],
      ],
    );
    const blocks = page.sections.flatMap((section) => section.blocks);
    assert.deepEqual(
      blocks.map(({ language, file, text }) => [language, file, text]),
      [
        ["ini", "/etc/a.conf", "[core]\n# no heading"],
        ["console", "", "# ls\na\nb\n$ true"],
      ],
    );
    assert.deepEqual(blocks.slice(1).flatMap(stepsOf), [
      { command: "ls", shown: ["a", "b"], line: 8 },
      { command: "true", shown: [], line: 11 },
    ]);
  });

  it("show what was written, but for the width of columns", () => {
    assert.ok(matches("a    b\nc", "a  b  \nc\n"));
    assert.ok(!matches("a b", "a c"));
    assert.ok(!matches("a", "a\nb"));
    assert.ok(!matches("a\nb", "a"));
    assert.ok(!matches("10.0.0.1", "10a0.0.1"));
  });

  it("leave out lines and parts of lines", () => {
    assert.ok(matches("a\n…\nd", "a\nb\nc\nd"));
    assert.ok(matches("a\n…", "a"));
    assert.ok(matches("…\nb", "1 %\r2 %\nb"));
    assert.ok(matches("it has … of it", "it has much of it"));
    assert.ok(!matches("a\n…\nd", "a\nb"));
  });

  it("may differ in what is another one at each run, and in nothing else", () => {
    assert.ok(matches("fe80::1 1.20 MiB nginx[1]", "fe80::2:3 7 B nginx[22] nginx[23]"));
    assert.ok(matches("0.10 ms  10  5 B", "0.07 ms 284  0 B"));
    assert.ok(!matches("port 5201", "port 5202"));
    assert.ok(!matches("1 subflow", "2 subflow"));
  });

  it("mean the same by the same name, and by the same name in commands", () => {
    const shown = new Shown();
    assert.ok(
      shown.matches(["token 0badcafe port 40000 of 0badcafe"], "token 1badcafe port 50000 of 1badcafe"),
    );
    assert.equal(shown.command("show 0badcafe 40000 5201"), "show 1badcafe 50000 5201");
    assert.ok(!shown.matches(["0badcafe"], "2badcafe"));
    assert.ok(matches("token 0badcafe", "token deadbeef"));
    assert.ok(!new Shown().matches(["0badcafe 0badcafe"], "1badcafe 2badcafe"));
  });
});
