import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import * as v from "valibot";
import { logDestinations } from "../../../src/base/log/log.ts";
import {
  containerRule,
  defaultConfig,
  defaultConfigFile,
  notifyFlags,
} from "../../../src/control/config/config.ts";
import { loadConfig } from "../../../src/control/config/load.ts";
import { core, path } from "../../../src/control/config/schema.ts";
import { kernelPathManager, limits, onStop, settableFlags } from "../../../src/control/config/values.ts";
import { builtIn } from "../../../src/path-managers/built-in/index.ts";
import { readOptions } from "../../../src/path-managers/runtime/plugin-config.ts";
import { type Definition, sectionOf, termsOf } from "./page.ts";

const page = "mptcpd.conf.5";
const sections = { "SECTION [core]": core, "SECTION [path NAME]": path } as const;

/** "log=DEST": "log" */
const keyOf = ({ term }: Definition): string => term.split("=")[0] ?? "";

function textOf(title: string, key: string): string {
  const definition = sectionOf(page, title).definitions.find((one) => keyOf(one) === key);
  return (definition?.text ?? assert.fail(`${title} has no ${key}`)).replaceAll("\n", " ");
}

function takes(schema: v.GenericSchema, key: string, value: string): boolean {
  return v.safeParse(schema, { [key]: value }).success;
}

describe("mptcpd.conf(5)", () => {
  for (const [title, schema] of Object.entries(sections)) {
    it(`has the keys of ${title}, and no others`, () => {
      const documented = sectionOf(page, title).definitions.map(keyOf);
      assert.deepEqual(documented.toSorted(), Object.keys(schema.entries).toSorted());
    });

    it(`has the ranges of numbers of ${title} right`, () => {
      let ranges = 0;
      for (const definition of sectionOf(page, title).definitions) {
        const key = keyOf(definition);
        const [, least, most] = /(-?\d+) to (\d+)/.exec(definition.text) ?? [];
        if (least === undefined || most === undefined) continue;
        ranges += 1;
        for (const value of [least, most]) assert.ok(takes(schema, key, value), `${key}=${value}`);
        for (const value of [Number(least) - 1, Number(most) + 1])
          assert.ok(!takes(schema, key, String(value)), `${key}=${value}`);
      }
      assert.ok(ranges >= 2);
    });
  }

  it("has all words that stand for something", () => {
    const words = {
      log: logDestinations,
      "addr-flags": settableFlags,
      "notify-flags": notifyFlags.names,
      "on-stop": onStop.options,
      "kernel-path-manager": kernelPathManager.options,
      limits: limits.options,
    };
    for (const [key, names] of Object.entries(words))
      for (const name of names) assert.match(textOf("SECTION [core]", key), new RegExp(`\\b${name}\\b`), key);
  });

  it("has the defaults right", () => {
    const { log, pluginFaults, kernelPathManager, removalDelay, addressFlags, notifyFlags } = defaultConfig;
    const defaults = {
      "SECTION [core]": {
        ...{ log, "on-stop": defaultConfig.onStop, limits: defaultConfig.limits },
        ...{ "kernel-path-manager": kernelPathManager },
        ...{ "plugin-faults": pluginFaults, "removal-delay": removalDelay / 1000 },
        ...{ "addr-flags": addressFlags, "notify-flags": notifyFlags },
      },
      "SECTION [path NAME]": { ignore: "no", priority: 0, "bypass-tunnel": "no" },
    };
    for (const [title, values] of Object.entries(defaults))
      for (const [key, value] of Object.entries(values)) {
        const text = textOf(title, key);
        assert.match(text, new RegExp(`Default(, also of an empty value)?: ${value}\\.$| ${value}\\. `), key);
        assert.match(text, /Default/, key);
      }
    assert.ok(textOf("SECTION [core]", "plugin-dir").includes(defaultConfig.pluginDirectory));
  });

  it("has the rule that is built in", () => {
    const [block = ""] = sectionOf(page, "INTERFACES THAT LEAD TO GUESTS").blocks;
    const [rule, ...more] = configOf(block).paths;
    assert.deepEqual({ ...rule, source: containerRule.source }, containerRule);
    assert.deepEqual(more, []);
  });

  it("has one key of mptcpd's in [plugin NAME]", () => {
    assert.deepEqual(sectionOf(page, "SECTION [plugin NAME]").definitions.map(keyOf), ["exec"]);
  });

  it("has the file's name", () => {
    assert.deepEqual(termsOf(page, "FILES"), [defaultConfigFile]);
    assert.equal(sectionOf(page, "SYNOPSIS").text, defaultConfigFile);
  });

  it("has examples that mptcpd takes", () => {
    const { blocks } = sectionOf(page, "EXAMPLES");
    assert.equal(blocks.length, 3);
    for (const { plugins } of blocks.map(configOf))
      for (const [name, section] of plugins) {
        const definition = builtIn.get(name) ?? assert.fail(`${name} is built in`);
        readOptions(definition, section);
      }
  });
});

/** The configuration that a text stands for; fails where mptcpd would complain about it. */
function configOf(text: string) {
  const directory = mkdtempSync(join(tmpdir(), "mptcpd-manual-"));
  const file = join(directory, "mptcpd.conf");
  try {
    writeFileSync(file, text, { mode: 0o644 });
    const { config, warnings, notices } = loadConfig({ file, mustExist: true });
    assert.deepEqual([...warnings, ...notices], []);
    return config;
  } finally {
    rmSync(directory, { recursive: true });
  }
}
