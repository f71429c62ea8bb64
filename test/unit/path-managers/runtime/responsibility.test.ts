import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { definePathManager, type PathManagerDefinition } from "../../../../src/path-managers/runtime/api.ts";
import { byPriority, responsibilityOf } from "../../../../src/path-managers/runtime/responsibility.ts";

const named = (name: string, more: Partial<PathManagerDefinition> = {}) =>
  definePathManager({ name, ...more });
const setup = () => undefined;
const endpoints = () => [];

describe("who is in charge of connections", () => {
  const all = [named("a"), named("b"), named("c")];

  it("is the first, if none is named", () => {
    assert.deepEqual(responsibilityOf(all, []).connections, ["a"]);
  });

  it("are those that are named, in the order of their priority", () => {
    assert.deepEqual(responsibilityOf(all, ["c", "b"]).connections, ["b", "c"]);
  });

  it("is the first, if none of those is there", () => {
    assert.deepEqual(responsibilityOf(all, ["z"]).connections, ["a"]);
    assert.deepEqual(responsibilityOf([], ["z"]), { connections: [], needs: "any", endpoints: undefined });
  });
});

describe("what the kernel's path manager has to be", () => {
  const needs = (...plugins: PathManagerDefinition[]) =>
    responsibilityOf(
      plugins,
      plugins.map(({ name }) => name),
    ).needs;

  it("is userspace for who gives commands, the kernel's for who does not", () => {
    assert.equal(needs(named("a", { setup })), "userspace");
    assert.equal(needs(named("a", { setup, endpoints })), "userspace");
    assert.equal(needs(named("a", { endpoints })), "kernel");
  });

  it("is what a path manager says it is", () => {
    assert.equal(needs(named("a", { setup, needs: "kernel" })), "kernel");
    assert.equal(needs(named("a", { needs: "userspace" })), "userspace");
    assert.equal(needs(named("a", { setup, needs: "any" })), "any");
  });

  it("is userspace as soon as one of several needs that, then the kernel's", () => {
    const any = named("any", { setup, needs: "any" });
    assert.equal(needs(any, named("b", { endpoints }), named("c", { setup })), "userspace");
    assert.equal(needs(any, named("b", { endpoints })), "kernel");
  });

  it("does not depend on those that are not in charge", () => {
    assert.equal(responsibilityOf([named("a", { endpoints }), named("b", { setup })], []).needs, "kernel");
  });
});

describe("who is in charge of endpoints", () => {
  const [none, one, other] = [
    named("none", { setup }),
    named("one", { endpoints }),
    named("other", { endpoints }),
  ];
  const responsibility = (plugins: PathManagerDefinition[], named: string[]) =>
    responsibilityOf(plugins, named).endpoints;

  it("is the first in charge of connections that wants any", () => {
    assert.equal(responsibility([one, none, other], ["none", "other"]), "other");
  });

  it("or else the first that is loaded", () => {
    assert.equal(responsibility([none, one, other], []), "one");
    assert.equal(responsibility([one, none], ["none"]), "one");
  });

  it("or nobody", () => {
    assert.equal(responsibility([none], []), undefined);
  });
});

describe("the order of path managers", () => {
  it("is by priority, 0 where none is said, and of equals the order in which they were loaded", () => {
    const loaded = [
      named("b"),
      named("z", { priority: 19 }),
      named("a", { priority: 0 }),
      named("y", { priority: -20 }),
    ];
    const ordered = byPriority(loaded.map((definition) => ({ definition })));
    assert.deepEqual(
      ordered.map(({ definition }) => definition.name),
      ["y", "b", "a", "z"],
    );
  });
});
