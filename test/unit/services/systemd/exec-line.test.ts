import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { execLines, parseExecLine } from "../../../../src/services/systemd/exec-line.ts";
import { parseUnitFile, UnitSyntaxError } from "../../../../src/services/systemd/unit-syntax.ts";

describe("a command line of a service", () => {
  it("is a program and its arguments, as they are written", () => {
    const { prefixes, path, argv0, rest } = parseExecLine(String.raw`/bin/x  -a "b c" %n $D \x41 \q`);
    assert.deepEqual([prefixes, path, argv0], ["", "/bin/x", undefined]);
    assert.equal(rest, String.raw`-a "b c" %n $D \x41 \q`);
  });

  it("may have prefixes", () => {
    for (const prefixes of ["-", "+", "!", "!!", ":", "-:+", "|"])
      assert.equal(parseExecLine(`${prefixes}/bin/x`).prefixes, prefixes);
  });

  it("may name the program otherwise than by its path", () => {
    const { prefixes, path, argv0, rest } = parseExecLine(`-@:/bin/x "my name" -a`);
    assert.deepEqual([prefixes, path, argv0, rest], ["-:", "/bin/x", "my name", "-a"]);
  });

  it("may have its path in quotes, and the prefixes, too", () => {
    assert.equal(parseExecLine('-"/opt/my x" y').path, "/opt/my x");
    const quoted = parseExecLine('"-/opt/my x" y');
    assert.deepEqual([quoted.prefixes, quoted.path, quoted.rest], ["-", "/opt/my x", "y"]);
  });

  it("keeps a blank at the end that is escaped", () => {
    assert.equal(parseExecLine("/bin/x a\\ ").rest, "a\\ ");
  });

  it("cannot be read without a program, without the name that @ promises, with an open quote", () => {
    for (const value of ["", "-", "@", "@/bin/x", '/bin/x "a', '""'])
      assert.throws(() => parseExecLine(value), UnitSyntaxError, value);
  });
});

describe("the commands of a service", () => {
  const commands = (...values: string[]) =>
    execLines(
      parseUnitFile(["[Service]", ...values.map((value) => `ExecStart=${value}`)].join("\n"), "x"),
      "ExecStart",
    );

  it("are those of the key, in order", () => {
    const unit = parseUnitFile("[Service]\nExecStart=/a\nExecStop=/b\n[X-Y]\nExecStart=/c", "x");
    assert.deepEqual(execLines(unit, "ExecStart"), ["/a"]);
    assert.deepEqual(commands("/a 1", "-/b"), ["/a 1", "-/b"]);
  });

  it("are taken back by an empty value", () => {
    assert.deepEqual(commands("/a", "", "/b"), ["/b"]);
  });

  it("may stand in one value, between semicolons", () => {
    assert.deepEqual(commands("/a 1 ; /b 2;3 ;", "; /c"), ["/a 1", "/b 2;3", "/c"]);
  });

  it("may have arguments that are semicolons", () => {
    assert.deepEqual(commands(String.raw`/a \; ';' ";" x`), [String.raw`/a \; ';' ";" x`]);
  });

  it("are given also where they cannot be read to the end", () => {
    assert.deepEqual(commands('/a ; /b "c'), ["/a", '/b "c']);
  });
});
