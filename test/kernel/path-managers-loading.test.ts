import assert from "node:assert/strict";
import { chmodSync, chownSync } from "node:fs";
import { describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { check, PluginDirectory, plugin, sayer, withPlugins } from "../lab/plugin-directory.ts";

const options = { skip: requires(), concurrency: 2 };

describe("a plugin directory", options, () => {
  it("that everybody may write to is refused, in one line", async (t) => {
    const { machine, plugins } = await withPlugins(t, { "one.js": plugin("one", "") });
    chmodSync(plugins.path, 0o777);
    const config = plugins.config("load-plugins=one,two\npath-manager=one");
    const { code, lines } = await machine.runToEnd({ config });
    assert.equal(code, 1);
    assert.deepEqual(lines, [
      `error: everybody may write to plugin-dir=${plugins.path}: take that away with chmod o-w ${plugins.path}`,
    ]);
  });

  it("with modules of the C mptcpd is warned of, and all else works", async (t) => {
    const { machine, plugins } = await withPlugins(t, { "addr_adv.so": "", "spy.so": "" });
    await machine.start({ config: plugins.config() });
    assert.deepEqual(machine.problems, [
      `warning: plugins of the C mptcpd are not loaded: addr_adv.so and spy.so in ${plugins.path}; addr_adv and sspi are built in; remove the files, or the package that they are from, when nothing else needs them`,
    ]);
    await machine.has("10.0.0.1 eth0 subflow");
  });

  it("that does not exist is warned of", async (t) => {
    const { machine, plugins } = await withPlugins(t, {});
    await machine.start({ config: `[core]\nplugin-dir=${plugins.path}/nowhere\n` });
    assert.deepEqual(machine.problems, [
      `warning: plugin-dir=${plugins.path}/nowhere does not exist: correct it or leave it out`,
    ]);
  });
});

describe("a plugin's file", options, () => {
  const untrusted: readonly (readonly [string, (path: string) => void, RegExp])[] = [
    [
      "that everybody may write to",
      (path) => chmodSync(path, 0o666),
      /one\.js may be written by everybody: take that away with chmod o-w/,
    ],
    [
      "that belongs to another user",
      (path) => chownSync(path, 1234, 1234),
      /one\.js belongs to user 1234: it has to be root's, chown root/,
    ],
  ];
  for (const [what, spoil, message] of untrusted) {
    const needs = { skip: what.includes("belongs") && requires({ root: true }) };

    it(`${what} is refused where it is named`, needs, async (t) => {
      const { machine, plugins } = await withPlugins(t, {});
      spoil(plugins.write("one.js", plugin("one", "")));
      const { code, lines } = await machine.runToEnd({ config: plugins.config("load-plugins=one") });
      assert.equal(code, 1);
      assert.equal(lines.length, 1);
      assert.match(lines[0] ?? "", message);
    });

    it(`${what} is left out with a warning where it is not`, needs, async (t) => {
      const { machine, plugins } = await withPlugins(t, { "two.js": sayer("two") });
      spoil(plugins.write("one.js", plugin("one", "")));
      await machine.start({ config: plugins.config() });
      assert.equal(machine.problems.length, 1);
      assert.match(machine.problems[0] ?? "", message);
      assert.match(machine.problems[0] ?? "", /^warning: plugin one: .*; it is not loaded$/);
      await machine.daemon.waitForLine(/^notice: two: set up$/);
    });
  }

  it("that imports one which everybody may write to is refused", async (t) => {
    const { machine, plugins } = await withPlugins(t, {});
    const directory = new PluginDirectory(machine.lab);
    directory.write("helper.mjs", "", 0o666);
    plugins.write("one.js", `import "${directory.path}/helper.mjs";\n${plugin("one", "")}`);
    const { code, lines } = await check(machine, plugins.config("path-manager=one"));
    assert.equal(code, 1);
    assert.match(lines.join(), /^mptcpd: plugin one: .*helper\.mjs may be written by everybody/);
  });

  for (const [what, imports] of [
    ["by require", `import "./beside/first.cjs"`],
    [
      "by a require of its own",
      `import { createRequire } from "node:module"; createRequire(import.meta.url)("./beside/first.cjs")`,
    ],
    ["from a package", `import "package"`],
  ] as const)
    it(`that loads one ${what} which everybody may write to is refused, and does not run it`, async (t) => {
      const { machine, plugins } = await withPlugins(t, {});
      plugins.writeIn("beside", "first.cjs", `require("./second.cjs")`);
      plugins.writeIn("node_modules/package", "index.js", `require("../../beside/second.cjs")`);
      chmodSync(plugins.writeIn("beside", "second.cjs", `console.log("it ran")`), 0o666);
      plugins.write("one.js", `${imports};\n${plugin("one", "")}`);
      const { code, lines } = await check(machine, plugins.config("path-manager=one"));
      assert.equal(code, 1);
      assert.equal(lines.length, 1, lines.join("\n"));
      assert.match(lines.join(), /^mptcpd: plugin one: \S+\/second\.cjs may be written by everybody/);
    });

  const faulty: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
    [
      "whose syntax is wrong: the file and the line are named",
      { "one.js": `${plugin("one", "")}\nexport const x = ;\n` },
      /plugin one: \S+\/one\.js:8: Unexpected token ';'$/,
    ],
    [
      "in TypeScript whose syntax is wrong: likewise",
      { "one.ts": `interface A { b: string }\n\nconst a: A = { b: ;` },
      /plugin one: \S+\/one\.ts:3:19: Unexpected token$/,
    ],
    [
      "that imports one whose syntax is wrong: the right one is named",
      { "one.js": `import "./lib.mjs";\n${plugin("one", "")}`, "lib.mjs": "\n\nlet a;\nlet a;\n" },
      /plugin one: \S+\/lib\.mjs:4: Identifier 'a' has already been declared$/,
    ],
    [
      "that throws: the line is named",
      { "one.js": `\nthrow new Error("no luck");\n` },
      /plugin one: \S+\/one\.js:2: no luck$/,
    ],
    [
      "that imports what is not there: the line is named",
      { "one.js": `\nimport { defineManager } from "mptcpd";\n` },
      /plugin one: \S+\/one\.js:2: .*does not provide an export named 'defineManager'$/,
    ],
    [
      "that imports a package that is not installed",
      { "one.js": `import "left-pad";\n` },
      /plugin one: Cannot find package 'left-pad' imported from \S+\/one\.js$/,
    ],
    [
      "without a path manager",
      { "one.js": "export default { name: 'one' };\n" },
      /plugin one: \S+\/one\.js has no path manager as its default export: export default definePathManager/,
    ],
    [
      "with a name that cannot be written in a configuration",
      { "one.js": plugin("no name", "") },
      /plugin one: \S+\/one\.js: a name has letters, digits and _ \. - only, not "no name"$/,
    ],
    [
      "with the name of another",
      { "one.js": plugin("one", ""), "two.js": plugin("one", "") },
      /plugin two: another plugin has the name one already$/,
    ],
  ];
  for (const [what, files, message] of faulty)
    it(`${what}; it is refused where it is named, and else left out with a warning`, async (t) => {
      const { machine, plugins } = await withPlugins(t, files);
      const names = Object.keys(files).flatMap((file) => /^(one|two)\./.exec(file)?.[1] ?? []);
      const named = await check(machine, plugins.config(`load-plugins=${names}`));
      assert.equal(named.code, 1);
      assert.match(named.lines.join("\n"), new RegExp(`^mptcpd: ${message.source}`));
      const scanned = await check(machine, plugins.config());
      assert.equal(scanned.code, 0);
      const source = message.source.replace(/\$$/, "");
      assert.match(scanned.lines.join("\n"), new RegExp(`^${source}.*; it is not loaded$`, "m"));
    });
});

describe("modules", options, () => {
  it("may be .js, .mjs and .ts, with types, enums, files beside them and valibot", async (t) => {
    const { machine, plugins } = await withPlugins(t, {
      "one.js": sayer("one"),
      "two.mjs": sayer("two"),
      "three.ts": `
        import { type Connection, definePathManager, option, type PathManager } from "mptcpd";
        import * as v from "valibot";
        import { greet, type Greeting } from "./shared/greeting.ts";
        enum Mood { Good, Better = 7 }
        abstract class Speaker<T extends PathManager<unknown>> {
          constructor(protected readonly pm: T, private readonly mood: Mood) {}
          speak(greeting: Greeting): void { this.pm.log.notice(greet(greeting) + Mood[this.mood]); }
        }
        class Any extends Speaker<PathManager<unknown>> {}
        export default definePathManager({
          name: "three",
          options: v.object({ times: v.optional(option.integer(1, 3), "2") }),
          setup(pm) {
            new Any(pm, Mood.Better).speak({ to: \`world \${pm.options.times satisfies number}\` } as Greeting);
            return { newConnection: (connection: Connection): void => void connection };
          },
        });`,
    });
    plugins.writeIn(
      "shared",
      "greeting.ts",
      `export interface Greeting { readonly to: string }
       export const greet = ({ to }: Greeting): string => \`hello \${to} \`;`,
    );
    const daemon = await machine.start({ config: plugins.config() });
    assert.deepEqual(machine.problems, []);
    for (const line of ["one: set up", "two: set up", "three: hello world 2 Better"])
      await daemon.waitForLine(new RegExp(`^notice: ${line}$`));
  });

  it("take the place of a built-in path manager of their name", async (t) => {
    const { machine, plugins } = await withPlugins(t, { "sspi.js": sayer("sspi") });
    await machine.start({ config: plugins.config("path-manager=sspi") });
    await machine.daemon.waitForLine(/^notice: sspi: set up$/);
  });

  it("are those of mptcpd itself where they import mptcpd or valibot, wherever they lie", async (t) => {
    const { machine, plugins } = await withPlugins(t, {
      "one.js": `
        import { ConnectionError, definePathManager, tokenText } from "mptcpd";
        import { MptcpPm } from "mptcpd/kernel";
        import { NetlinkConnection } from "mptcpd/netlink";
        import { simulate } from "mptcpd/testing";
        import { object } from "valibot";
        export default definePathManager({
          name: "one",
          setup(pm) {
            const all = [ConnectionError, tokenText, MptcpPm, NetlinkConnection, simulate, object];
            pm.log.notice(all.map((one) => typeof one).join());
          },
        });`,
    });
    await machine.start({ config: plugins.config() });
    await machine.daemon.waitForLine(/^notice: one: function,function,function,function,function,function$/);
  });
});
