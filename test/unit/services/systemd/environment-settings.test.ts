import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  formatEnvironmentFile,
  parseEnvironmentFile,
} from "../../../../src/services/systemd/environment-file.ts";
import {
  environmentAssignments,
  environmentFiles,
} from "../../../../src/services/systemd/environment-settings.ts";
import { parseUnitFile } from "../../../../src/services/systemd/unit-syntax.ts";
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
