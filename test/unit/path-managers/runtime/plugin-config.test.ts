import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import {
  defaultConfig,
  defaultPluginDirectory,
  type PluginSection,
} from "../../../../src/control/config/config.ts";
import {
  type PluginPlan,
  type PluginSettings,
  planPlugins,
  unknownPathManager,
  unusedSections,
} from "../../../../src/path-managers/runtime/plugin-config.ts";

const builtIn = ["addr_adv", "sspi", "heal"];

function plan(settings: Partial<PluginSettings> = {}): PluginPlan {
  return planPlugins({ ...defaultConfig, pluginDirectory: "/nonexistent", ...settings }, builtIn);
}

/** "kind name" of all that is loaded, in its order. */
const shown = ({ sources }: PluginPlan) => sources.map(({ kind, name }) => `${kind} ${name}`);

function directory(test: TestContext, ...names: string[]): string {
  const path = mkdtempSync(join(tmpdir(), "mptcpd-plugins-"));
  test.after(() => rmSync(path, { recursive: true }));
  for (const name of names) writeFileSync(join(path, name), "");
  return path;
}

function section(exec?: readonly [string, ...string[]]): PluginSection {
  return { file: "mptcpd.conf", line: 7, entries: [], exec };
}

describe("which plugins are loaded", () => {
  it("is addr_adv, all of the plugin directory by name, and all programs", (t) => {
    const pluginDirectory = directory(t, "zebra.js", "ant.ts", "bee.mjs");
    const plugins = new Map([
      ["later", section(["/bin/later"])],
      ["heal", section()],
      ["early", section(["/bin/early", "-x"])],
    ]);
    const planned = plan({ pluginDirectory, plugins });
    assert.deepEqual(shown(planned), [
      ...["built-in addr_adv", "file ant", "file bee", "file zebra", "exec later", "exec early"],
    ]);
    assert.deepEqual(planned.sources.at(-1), { kind: "exec", name: "early", command: ["/bin/early", "-x"] });
    const path = join(pluginDirectory, "ant.ts");
    assert.deepEqual(planned.sources[1], { kind: "file", name: "ant", path, required: false });
    assert.deepEqual([planned.errors, planned.warnings], [[], []]);
  });

  it("is what load-plugins names, in its order, and then what path-manager names", (t) => {
    const pluginDirectory = directory(t, "ant.ts", "bee.mjs");
    const planned = plan({ pluginDirectory, loadPlugins: ["heal", "bee"], pathManagers: ["sspi", "heal"] });
    assert.deepEqual(shown(planned), ["built-in heal", "file bee", "built-in sspi"]);
    const [, bee] = planned.sources;
    assert.equal(bee?.kind === "file" && bee.required, true, "what is named has to be there");
  });

  it("is the program, or else the file, where a built-in one has the same name", (t) => {
    const pluginDirectory = directory(t, "sspi.js", "heal.js");
    const plugins = new Map([["heal", section(["/bin/heal"])]]);
    const planned = plan({ pluginDirectory, plugins, loadPlugins: ["sspi", "heal", "addr_adv"] });
    assert.deepEqual(shown(planned), ["file sspi", "exec heal", "built-in addr_adv"]);
  });
});

describe("a plugin directory", () => {
  it("has modules: .js before .mjs before .ts, and no declarations, tests, C plugins or hidden files", (t) => {
    const pluginDirectory = directory(
      t,
      ...["a.ts", "a.mjs", "a.js", "b.ts", "b.mjs", "c.ts", "c.d.ts"],
      ...["d.d.ts", "e.so", "f.cjs", "README", ".g.ts", "a.test.ts", "h.test.js"],
    );
    const paths = plan({ pluginDirectory }).sources.flatMap((source) =>
      source.kind === "file" ? source.path : [],
    );
    assert.deepEqual(
      paths,
      ["a.js", "b.mjs", "c.ts"].map((name) => join(pluginDirectory, name)),
    );
  });

  it("with C plugins gets a warning that says what to do", (t) => {
    const pluginDirectory = directory(t, "sspi.so", "addr_adv.so");
    const [warning = "", ...more] = plan({ pluginDirectory }).warnings;
    assert.match(
      warning,
      /C mptcpd are not loaded: addr_adv.so and sspi.so in .*; addr_adv and sspi are built in/,
    );
    assert.deepEqual(more, []);
  });

  it("that everybody may write to is refused whole", (t) => {
    const pluginDirectory = directory(t, "a.js");
    chmodSync(pluginDirectory, 0o777);
    const planned = plan({ pluginDirectory });
    const message = `everybody may write to plugin-dir=${pluginDirectory}: take that away with chmod o-w ${pluginDirectory}`;
    assert.deepEqual(planned.errors, [message]);
    assert.deepEqual(shown(planned), ["built-in addr_adv"]);
  });

  it("that is none is an error, and one that does not exist a warning, but for the usual one", (t) => {
    const pluginDirectory = join(directory(t, "file"), "file");
    assert.match(
      plan({ pluginDirectory }).errors[0] ?? "",
      /file is not a directory: correct it or leave it out/,
    );
    assert.deepEqual(plan().warnings, ["plugin-dir=/nonexistent does not exist: correct it or leave it out"]);
    assert.deepEqual(plan({ pluginDirectory: join(pluginDirectory, "below") }).errors, []);
    const usual = plan({ pluginDirectory: defaultPluginDirectory });
    assert.deepEqual([usual.errors, usual.warnings], [[], []]);
  });
});

describe("a name that no plugin has", () => {
  it("is an error in load-plugins, which tells the names that there are, and the nearest", (t) => {
    const pluginDirectory = directory(t, "wifi.ts");
    const plugins = new Map([["lte", section(["/bin/lte"])]]);
    const planned = plan({ pluginDirectory, plugins, loadPlugins: ["wify"] });
    assert.deepEqual(planned.known, ["addr_adv", "heal", "lte", "sspi", "wifi"]);
    assert.deepEqual(planned.errors, [
      `load-plugins: no plugin has the name "wify" (did you mean wifi?): known are addr_adv, heal, lte, sspi and wifi; others go into ${pluginDirectory} as NAME.js, NAME.mjs or NAME.ts`,
    ]);
  });

  it("is told with the place where it was given", () => {
    const origins = { loadPlugins: "f.conf:3: load-plugins", pathManagers: "--path-manager" };
    assert.match(
      plan({ loadPlugins: ["none"], origins }).errors[0] ?? "",
      /^f\.conf:3: load-plugins: no plugin has the name "none": known are /,
    );
    assert.match(
      unknownPathManager("hael", { ...defaultConfig, origins }, builtIn),
      /^--path-manager: no plugin has the name "hael" \(did you mean heal\?\): known are /,
    );
  });

  it("is none yet in path-manager, as a module may have another name than its file", () => {
    assert.deepEqual(plan({ pathManagers: ["wifi"] }).errors, []);
  });

  it("has a section to no effect", () => {
    const plugins = new Map([
      ["heal", section()],
      ["hael", section()],
      ["sspi", section()],
      ["other", section()],
    ]);
    assert.deepEqual(unusedSections(plugins, ["addr_adv", "heal"], builtIn), [
      "mptcpd.conf:7: [plugin hael] has no effect: no plugin of that name is loaded (did you mean heal?)",
      "mptcpd.conf:7: [plugin sspi] has no effect: no plugin of that name is loaded; name it in path-manager or load-plugins",
      "mptcpd.conf:7: [plugin other] has no effect: no plugin of that name is loaded",
    ]);
  });
});
