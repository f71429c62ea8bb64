import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as v from "valibot";
import * as optionSchemas from "../../../src/path-managers/api/option.ts";
import { builtIn } from "../../../src/path-managers/built-in/index.ts";
import type {
  Endpoints,
  PathManager,
  PathManagerDefinition,
} from "../../../src/path-managers/runtime/api.ts";
import { commandNames } from "../../../src/path-managers/runtime/exec-commands.ts";
import { handlerNames } from "../../../src/path-managers/runtime/handler-calls.ts";
import { namesOf, readPage, sectionOf } from "./page.ts";

const page = "mptcpd-plugins.7";

// The compiler holds these equal to the library's types.
const definitionMembers = {
  ...{ name: true, description: true, priority: true, options: true, needs: true },
  ...{ setup: true, endpoints: true },
} satisfies Record<keyof PathManagerDefinition, true>;

const pathManagerMembers = {
  ...{ name: true, options: true, log: true, signal: true, network: true, connections: true },
  ...{ createSubflow: true, destroySubflow: true, setBackup: true, announce: true, withdraw: true },
  ...{ endpoints: true, limits: true, removalDelay: true, now: true, after: true, every: true, sleep: true },
} satisfies Record<keyof PathManager, true>;

const endpointMembers = {
  ...{ list: true, get: true, add: true, change: true, remove: true, renew: true, flush: true },
} satisfies Record<keyof Endpoints, true>;

describe("mptcpd-plugins(7)", () => {
  it("has the built-in path managers, and no others", () => {
    const titles = readPage(page).map(({ title }) => title);
    const from = titles.indexOf("BUILT-IN PATH MANAGERS") + 1;
    const documented = titles.slice(from, titles.indexOf("MODULES"));
    assert.deepEqual(documented, [...builtIn.keys()]);
  });

  for (const { name, description = "", options } of builtIn.values())
    it(`has what ${name} is for, and its options with their defaults, and no others`, () => {
      const { text, definitions } = sectionOf(page, name);
      assert.ok(text.toLowerCase().includes(description), description);
      const entries =
        options !== undefined && "entries" in options ? Object.entries(options.entries ?? {}) : [];
      assert.deepEqual(
        definitions.map(({ term }) => term.split("=")[0]),
        entries.map(([key]) => key),
      );
      for (const [key, schema] of entries) {
        const described = definitions.find(({ term }) => term.startsWith(`${key}=`))?.text ?? "";
        const byDefault = schema.default ?? "none";
        assert.match(described, new RegExp(`Default:\\s${byDefault}\\.`), key);
        const [, least, most] = /(\d+) to (\d+)/.exec(described) ?? [];
        for (const value of [least, most])
          if (value !== undefined) assert.ok(v.safeParse(schema, value).success, `${key}=${value}`);
        if (most !== undefined) assert.ok(!v.safeParse(schema, `${Number(most) + 1}`).success, key);
      }
    });

  it("has the members of a module, and no others", () => {
    const documented = namesOf(page, "MODULES");
    assert.deepEqual(documented.toSorted(), Object.keys(definitionMembers).toSorted());
  });

  it("has the schemas of options", () => {
    const text = sectionOf(page, "MODULES").definitions.find(({ term }) => term === "options")?.text ?? "";
    for (const name of Object.keys(optionSchemas)) assert.match(text, new RegExp(`\\b${name}\\b`));
  });

  it("has the events, and no others", () => {
    assert.deepEqual(namesOf(page, "EVENTS").toSorted(), [...handlerNames].toSorted());
  });

  it("has the commands of modules, and no others", () => {
    assert.deepEqual(namesOf(page, "COMMANDS").toSorted(), Object.keys(pathManagerMembers).toSorted());
    const { definitions } = sectionOf(page, "COMMANDS");
    const endpoints = definitions.find(({ term }) => term === "endpoints")?.text ?? "";
    const methods = Array.from(endpoints.matchAll(/(\w+)\(/g), ([, name]) => name);
    assert.deepEqual(methods, Object.keys(endpointMembers));
  });

  it("has the commands of programs, and no others", () => {
    assert.deepEqual(namesOf(page, "PROGRAMS").toSorted(), [...commandNames].toSorted());
  });
});
