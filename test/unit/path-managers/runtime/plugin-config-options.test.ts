import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as v from "valibot";
import type { PluginSection } from "../../../../src/control/config/config.ts";
import * as option from "../../../../src/path-managers/api/option.ts";
import { definePathManager, type OptionsSchema } from "../../../../src/path-managers/runtime/api.ts";
import { OptionsError, readOptions } from "../../../../src/path-managers/runtime/plugin-config.ts";

/** A [plugin wifi] section at line 10; its keys follow line by line. */
function section(entries: Readonly<Record<string, string>>): PluginSection {
  const list = Object.entries(entries).map(([key, value], at) => ({ key, value, line: 11 + at }));
  return { file: "mptcpd.conf", line: 10, entries: list, exec: undefined };
}

function read(options: OptionsSchema | undefined, entries?: Readonly<Record<string, string>>): unknown {
  const definition = definePathManager({ name: "wifi", ...(options && { options }) });
  return readOptions(definition, entries && section(entries));
}

function linesOf(options: OptionsSchema | undefined, entries?: Readonly<Record<string, string>>) {
  try {
    read(options, entries);
  } catch (error) {
    if (error instanceof OptionsError) return error.lines;
    throw error;
  }
  return [];
}

const schema = v.object({
  subflows: v.optional(option.integer(1, 8), "2"),
  delay: v.optional(option.seconds, "0.5"),
  quiet: v.optional(option.yesOrNo, "no"),
  interfaces: v.optional(option.globs),
});

describe("the options of a path manager", () => {
  it("are what its schema makes of a section, or of none", () => {
    assert.deepEqual(read(schema), { subflows: 2, delay: 500, quiet: false });
    assert.deepEqual(read(schema, { quiet: "yes", interfaces: "wlan*, eth0", delay: "3" }), {
      ...{ subflows: 2, delay: 3000, quiet: true, interfaces: ["wlan*", "eth0"] },
    });
  });

  it("are refused with file and line, all that is wrong at once", () => {
    assert.deepEqual(linesOf(schema, { subflow: "3", delay: "soon", quiet: "maybe" }), [
      "mptcpd.conf:11: subflow is not a key of [plugin wifi]: known are subflows, delay, quiet and interfaces (did you mean subflows?)",
      'mptcpd.conf:12: delay: "soon" is not a number of seconds: allowed are 0 to 86400, fractions such as 0.5 too',
      'mptcpd.conf:13: quiet: "maybe" is unknown: allowed are yes or no',
    ]);
  });

  it("are refused at the section, where the fault is no single key's", () => {
    const either = v.pipe(
      v.object({ a: v.optional(v.string()), b: v.optional(v.string()) }),
      v.check(({ a, b }) => (a === undefined) !== (b === undefined), "takes either a or b"),
    );
    assert.deepEqual(linesOf(either, { a: "1", b: "2" }), ["mptcpd.conf:10: takes either a or b"]);
  });

  it("may be missing: then it is said where they belong", () => {
    const needed = v.object({ server: v.pipe(v.string("has to be given"), v.minLength(1)) });
    const [line = "", ...more] = linesOf(needed);
    assert.match(line, /^server: .*; it goes into a section \[plugin wifi\]$/);
    assert.deepEqual(more, []);
    assert.match(linesOf(needed, { server: "" })[0] ?? "", /^mptcpd.conf:11: server: /);
  });

  it("are none where it declares none", () => {
    assert.deepEqual(read(undefined), {});
    assert.deepEqual(read(undefined, {}), {});
    assert.deepEqual(linesOf(undefined, { a: "1", b: "2" }), [
      "mptcpd.conf:11: wifi takes no options",
      "mptcpd.conf:12: wifi takes no options",
    ]);
  });

  it("may have any key, where the schema takes any", () => {
    assert.deepEqual(read(v.record(v.string(), v.string()), { any: "thing" }), { any: "thing" });
  });
});
