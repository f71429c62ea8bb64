import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { variableOf } from "../../../src/services/environment.ts";
import { type Given, serviceFacts } from "./facts.ts";

function variable(given: Given) {
  return variableOf("X", serviceFacts(given).environment);
}

describe("a variable of a service", () => {
  it("comes from the last file that sets it, before anything else", () => {
    const given = {
      service: ["EnvironmentFile=-/a", "EnvironmentFile=/b", "EnvironmentFile=/c", "Environment=X=unit"],
      environmentFiles: { "/a": { X: "a" }, "/b": { X: "b%" }, "/c": { Y: "c" } },
      inherited: { X: "manager" },
    };
    assert.deepEqual(variable(given), { value: "b%", file: "/b" });
  });

  it("comes from Environment= as it is written there", () => {
    const service = ["Environment=X=1", "Environment='X=%h 2'"];
    assert.deepEqual(variable({ service, inherited: { X: "manager" } }), { value: "%h 2", file: undefined });
  });

  it("comes from the manager where the unit does not set it, and is literal then", () => {
    const service = ["Environment=X=1", "Environment="];
    assert.deepEqual(variable({ service, inherited: { X: "100%" } }), { value: "100%%", file: undefined });
  });

  it("may not be there, or be empty", () => {
    assert.equal(variable({}), undefined);
    assert.deepEqual(variable({ service: ["Environment=X="] }), { value: "", file: undefined });
  });
});
