import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  environmentAssignments,
  environmentFiles,
  formatEnvironmentFile,
  parseEnvironmentFile,
  readEnvironmentFiles,
} from "../../../../src/services/systemd/environment-settings.ts";
import { parseUnitFile } from "../../../../src/services/systemd/unit-syntax.ts";
import { temporaryDirectory } from "../../temporary.ts";
import { exampleUnit, type ServiceExample, serviceExamples } from "./examples.ts";

describe("the environment of a service", () => {
  for (const example of serviceExamples)
    it(`is what systemd makes of ${example.about}`, () => {
      assert.deepEqual(environmentOf(example), example.environment);
    });

  it("has specifiers as they are written", () => {
    const unit = parseUnitFile(
      "[Service]\nEnvironment=A=%n%%\nEnvironmentFile=/etc/%p.env\nEnvironmentFile=x.env\n",
      "x.service",
    );
    assert.deepEqual([...environmentAssignments(unit)], [["A", "%n%%"]]);
    assert.deepEqual(environmentFiles(unit), [{ path: "/etc/%p.env", optional: false }]);
  });

  it("is that of the section [Service]", () => {
    const socket = parseUnitFile("[Socket]\nEnvironment=A=1\nEnvironmentFile=/etc/a\n", "x.socket");
    assert.equal(environmentAssignments(socket).size, 0);
    assert.equal(environmentFiles(socket).length, 0);
  });
});

describe("an environment file", () => {
  it("is read as it was written", () => {
    const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]*$/);
    const value = fc.string({ unit: fc.constantFrom(...special, "x", "é", "😀") });
    fc.assert(
      fc.property(fc.dictionary(name, value, { noNullPrototype: true }), (written) => {
        const text = formatEnvironmentFile(new Map(Object.entries(written)));
        assert.deepEqual(Object.fromEntries(parseEnvironmentFile(text)), written);
      }),
    );
  });

  it("is empty for an empty text", () => {
    assert.equal(parseEnvironmentFile("").size, 0);
    assert.equal(formatEnvironmentFile(new Map()), "");
  });
});

const special = [" ", "\t", "\n", "\r", '"', "'", "\\", "`", "$", "#", ";", "%", "="];

/** As systemd puts it together; of its files' names, those that no example needs are left out. */
function environmentOf({ unit, files }: ServiceExample): Record<string, string> {
  const assignments = parseUnitFile(unit, exampleUnit);
  const own = [...environmentAssignments(assignments)].map(([name, value]) => [name, expand(value)] as const);
  const fromFiles = environmentFiles(assignments).flatMap(({ path }) =>
    Object.entries(files)
      .filter(([file]) => matches(file, expand(path)))
      .flatMap(([, text]) => [...parseEnvironmentFile(text)]),
  );
  return Object.fromEntries([...own, ...fromFiles]);
}

function expand(text: string): string {
  const values: Record<string, string> = { "%%": "%", "%n": exampleUnit, "%p": "example" };
  return text.replaceAll(/%./g, (specifier) => values[specifier] ?? specifier);
}

function matches(file: string, glob: string): boolean {
  const [before = "", after] = glob.split("*");
  return after === undefined ? file === glob : file.startsWith(before) && file.endsWith(after);
}

describe("an EnvironmentFile=", () => {
  it("may be missing, or be no file", (t) => {
    const root = temporaryDirectory(t);
    assert.deepEqual([...readEnvironmentFiles(`${root}/missing`)], []);
    assert.deepEqual([...readEnvironmentFiles(root)], []);
    assert.deepEqual([...readEnvironmentFiles("/dev/zero")], []);
  });

  it("may be a glob; the files count in the order of their names", (t) => {
    const root = temporaryDirectory(t);
    for (const [path, text] of [
      ["a/2.env", "X=second\n"],
      ["a/1.env", "X=first\nY=1\n"],
      ["a/.hidden.env", "H=hidden\n"],
      ["b/1.env", "Z=1\n"],
      ["a/1.txt", "X=other\n"],
    ] as const) {
      mkdirSync(`${root}/${path.slice(0, 1)}`, { recursive: true });
      writeFileSync(`${root}/${path}`, text);
    }
    const read = (path: string) => Object.fromEntries(readEnvironmentFiles(`${root}/${path}`));
    assert.deepEqual(read("a/*.env"), { X: "second", Y: "1" });
    assert.deepEqual(read("?/1.env"), { X: "first", Y: "1", Z: "1" });
    assert.deepEqual(read("a/.h*.env"), { H: "hidden" });
    assert.deepEqual(read("c/*.env"), {});
  });
});
