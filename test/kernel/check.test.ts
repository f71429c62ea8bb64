import assert from "node:assert/strict";
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { Machine } from "../lab/machine.ts";
import { check, PluginDirectory, plugin, withPlugins } from "../lab/plugin-directory.ts";
import { compiled } from "../lab/programs.ts";

const options = { skip: requires({ tools: ["cc"] }), concurrency: 2 };

describe("mptcpd --check", options, () => {
  const setups = {
    throws: 'setup() { throw new Error("no modem"); }',
    rejects: 'async setup(pm) { await pm.sleep(10); throw new Error("no modem"); }',
    "does not find its interface":
      'setup(pm) { if (!pm.network.interfaces.some(({ name }) => name === "lte0")) throw new Error("no modem"); }',
  };
  for (const [what, setup] of Object.entries(setups))
    it(`fails for a path manager whose setup ${what}`, async (t) => {
      const text = `import { definePathManager } from "mptcpd"; export default definePathManager({ name: "mine", ${setup} });`;
      const { machine, plugins } = await withPlugins(t, { "mine.js": text });
      const { code, lines } = await check(machine, plugins.config("path-manager=mine"));
      assert.equal(code, 1);
      assert.match(
        lines.join("\n"),
        /^mptcpd: mine: setup failed: Error: no modem \(at .*mine\.js:1:\d+\)+$/,
      );
    });

  it("takes a setup that waits, reads a file, finds the host's interfaces, and changes nothing", async (t) => {
    const { machine, plugins } = await withPlugins(t, {
      "mine.js": `import { readFile } from "node:fs/promises";
        import { definePathManager } from "mptcpd";
        export default definePathManager({ name: "mine", async setup(pm) {
          await pm.sleep(300);
          await readFile(import.meta.filename ?? "/proc/self/stat");
          if (!pm.network.interfaces.some(({ name }) => name === "eth0")) throw new Error("no eth0");
          await pm.endpoints.add({ address: "10.0.0.1", flags: ["subflow"] });
          if ((await pm.endpoints.list()).length !== 1) throw new Error("no endpoint");
        } });`,
    });
    assert.deepEqual(await check(machine, plugins.config("path-manager=mine")), {
      code: 0,
      lines: ["the configuration is valid"],
    });
    assert.deepEqual(await machine.show(), []);
  });

  it("looks whether a program can be executed, and does not start it", async (t) => {
    const machine = await Machine.create(t);
    const mark = machine.lab.freshPath("mark");
    const plugins = new PluginDirectory(machine.lab);
    const path = plugins.write("program", `#!/bin/sh\ntouch ${mark}\n`, 0o755);
    const config = plugins.config("path-manager=program", `[plugin program]\nexec=${path}`);
    assert.equal((await check(machine, config)).code, 0);
    assert.equal(existsSync(mark), false);
    chmodSync(path, 0o644);
    const { code, lines } = await check(machine, config);
    assert.equal(code, 1);
    assert.match(lines.join(), /cannot be executed: allow it with chmod \+x/);
  });

  it("fails where no thread can be started", async (t) => {
    const machine = await Machine.create(t);
    const file = machine.lab.freshPath("no-threads");
    const env = { LD_PRELOAD: await compiled("no-threads", "library"), NO_THREADS: file };
    const config = "[core]\npath-manager=fullmesh\n";
    assert.equal((await machine.runToEnd({ config, args: ["--check"], env })).code, 0);
    writeFileSync(file, "");
    const { code, lines } = await machine.runToEnd({ config, args: ["--check"], env });
    assert.equal(code, 1);
    assert.match(lines.join(), /^mptcpd: the path managers' thread cannot start: /);
  });

  it("warns of files that others cannot read or execute, while no mptcpd runs", async (t) => {
    const machine = await Machine.create(t);
    const plugins = new PluginDirectory(machine.lab, { "mine.js": plugin("mine", "") });
    plugins.writeIn("lib", "helper.mjs", "");
    const program = plugins.write("program", "#!/bin/sh\n", 0o755);
    const config = plugins.config("", `[plugin program]\nexec=${program}`);
    assert.deepEqual((await check(machine, config)).lines, ["the configuration is valid"]);
    chmodSync(`${plugins.path}/mine.js`, 0o640);
    chmodSync(`${plugins.path}/lib/helper.mjs`, 0o600);
    chmodSync(program, 0o750);
    const { code, lines } = await check(machine, config);
    assert.equal(code, 0);
    const said = lines.join("\n");
    assert.match(said, /mine\.js: others cannot read it, .*SupplementaryGroups=/);
    assert.match(said, /helper\.mjs: others cannot read it/);
    assert.match(said, /program: others cannot execute it/);
    assert.equal(lines.length, 4, said);
  });
});
