import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  effectiveEnvironment,
  shownSources,
  withAssignments,
  writtenSources,
} from "../../../src/services/environment.ts";
import { parseUnitFile } from "../../../src/services/systemd/unit-syntax.ts";
import { type Given, serviceFacts } from "./facts.ts";
import { FakeSystemd } from "./fake-systemd.ts";

/** The value of X in the service, and the file that sets it. */
function x(given: Given): unknown {
  const variable = serviceFacts(given).environment.get("X");
  return variable && { value: variable.value, file: variable.file };
}

function settings(...lines: readonly string[]) {
  return parseUnitFile(["[Service]", ...lines, ""].join("\n"), "/u/web.service");
}

describe("the environment of a service", () => {
  describe("has a variable", () => {
    it("of the manager, where nothing else sets it", () => {
      assert.deepEqual(x({ manager: { X: "manager" } }), { value: "manager", file: undefined });
    });

    it("of PassEnvironment= rather than of the manager", () => {
      assert.deepEqual(x({ manager: { X: "manager" }, passed: { X: "passed" } }), {
        value: "passed",
        file: undefined,
      });
    });

    it("of Environment= rather than of PassEnvironment= or the manager", () => {
      const given = { service: ["Environment=X=unit"], manager: { X: "manager" }, passed: { X: "passed" } };
      assert.deepEqual(x(given), { value: "unit", file: undefined });
    });

    it("of the last Environment= that sets it, in the unit file or a drop-in", () => {
      const service = ["Environment=X=1", "Environment=X=2 Y=3"];
      assert.deepEqual(x({ service }), { value: "2", file: undefined });
      const dropIns = { "60-own.conf": ["Environment=X=3"] };
      assert.deepEqual(x({ service, dropIns }), { value: "3", file: undefined });
    });

    it("of the manager again after an empty Environment=", () => {
      const service = ["Environment=X=1", "Environment="];
      assert.deepEqual(x({ service, manager: { X: "manager" } }), { value: "manager", file: undefined });
    });

    it("of an EnvironmentFile= rather than of any Environment=, whichever comes later", () => {
      const given = {
        service: ["EnvironmentFile=/a", "Environment=X=unit"],
        environmentFiles: { "/a": { X: "a" } },
        manager: { X: "manager" },
        passed: { X: "passed" },
      };
      assert.deepEqual(x(given), { value: "a", file: "/a" });
    });

    it("of the last EnvironmentFile= that sets it", () => {
      const given = {
        service: ["EnvironmentFile=-/a", "EnvironmentFile=/b", "EnvironmentFile=/c"],
        environmentFiles: { "/a": { X: "a" }, "/b": { X: "b" }, "/c": { Y: "c" } },
      };
      assert.deepEqual(x(given), { value: "b", file: "/b" });
    });

    it("of no EnvironmentFile= that an empty one takes back", () => {
      const given = {
        service: ["Environment=X=unit", "EnvironmentFile=/a", "EnvironmentFile=", "EnvironmentFile=/b"],
        environmentFiles: { "/a": { X: "a" }, "/b": { Y: "b" } },
      };
      assert.deepEqual(x(given), { value: "unit", file: undefined });
    });

    it("that may be empty, or that nothing sets", () => {
      assert.deepEqual(x({ service: ["Environment=X="] }), { value: "", file: undefined });
      assert.equal(x({}), undefined);
    });
  });

  it("spells values for Environment=, but those of files as they are", () => {
    const escaped = { value: "100%%", file: undefined };
    assert.deepEqual(x({ manager: { X: "100%" } }), escaped);
    assert.deepEqual(x({ passed: { X: "100%" } }), escaped);
    assert.deepEqual(x({ service: ["Environment='X=%h 2'"] }), { value: "%h 2", file: undefined });
    const given = { service: ["EnvironmentFile=/a"], environmentFiles: { "/a": { X: "100%" } } };
    assert.deepEqual(x(given), { value: "100%", file: "/a" });
  });

  describe("loses a variable to UnsetEnvironment=", () => {
    const unsetBy = (given: Given) => serviceFacts(given).environment.get("X")?.unsetBy?.line;

    it("that names it, wherever the variable comes from", () => {
      const service = ["UnsetEnvironment=W X"];
      assert.equal(unsetBy({ service, manager: { X: "1" } }), 2);
      assert.equal(unsetBy({ service, passed: { X: "1" } }), 2);
      assert.equal(unsetBy({ service: [...service, "Environment=X=1"] }), 2);
      const files = { service: [...service, "EnvironmentFile=/a"], environmentFiles: { "/a": { X: "1" } } };
      assert.equal(unsetBy(files), 2);
    });

    it("that names the value that it has, and not another", () => {
      assert.equal(unsetBy({ service: ["Environment=X=2", "UnsetEnvironment=X=2"] }), 3);
      assert.equal(unsetBy({ service: ["Environment=X=1 X=2", "UnsetEnvironment=X=1"] }), undefined);
    });

    it("unless an empty one takes that back", () => {
      const service = ["Environment=X=1", "UnsetEnvironment=X", "UnsetEnvironment="];
      assert.equal(unsetBy({ service }), undefined);
      assert.equal(unsetBy({ service: [...service, "UnsetEnvironment=X"] }), 5);
    });
  });

  it("follows a change of the unit, with what the manager passes on and the files unchanged", () => {
    const before = writtenSources(settings("Environment=X=1", "EnvironmentFile=/a"), {
      manager: new Map([["M", "50%"]]),
      passed: new Map(),
      files: new Map([["/a", new Map([["A", "a"]])]]),
    });
    const changed = settings("Environment=X=2", "EnvironmentFile=/a", "EnvironmentFile=/ours");
    const after = effectiveEnvironment(
      withAssignments(before, changed, { path: "/ours", values: new Map([["A", "ours"]]) }),
    );
    assert.deepEqual(
      ["X", "M", "A"].map((name) => after.get(name)?.value),
      ["2", "50%%", "ours"],
    );
  });

  it("is the same by what systemd shows of the unit", async (t) => {
    const systemd = new FakeSystemd(t);
    const file = systemd.put("d/web.env", "X=file\n");
    const lines = ["Environment=X=unit Y=1 Z=2", `EnvironmentFile=${file}`, "UnsetEnvironment=Z"];
    systemd.put("lib/web.service", ["[Service]", ...lines, ""].join("\n"));
    const shown = effectiveEnvironment(
      await shownSources("web.service", settings(...lines), systemd.systemctl),
    );
    const values = [...shown].map(([name, { value, file: from, unsetBy }]) => [
      name,
      value,
      from,
      unsetBy?.line,
    ]);
    assert.deepEqual(values, [
      ["X", "file", file, undefined],
      ["Y", "1", undefined, undefined],
      ["Z", "2", undefined, 4],
    ]);
  });
});
