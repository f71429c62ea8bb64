import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { atOnce, Machine, program } from "../lab/machine.ts";
import { PluginDirectory, plugin } from "../lab/plugin-directory.ts";
import { compiled } from "../lab/programs.ts";
import { askToReload, inForce, startReload, verdictOf } from "../lab/reload-command.ts";

const options = { skip: requires({ tools: ["cc"] }), concurrency: 2 };

const stays = "mptcpd: the configuration was not reloaded: the old one stays in force";
/** The slowest refusal takes ten seconds: of a path manager that blocks its thread. */
const deadlineMs = 60_000;

/** A path manager named "mine" with this member. */
const mine = (setup: string): string =>
  `import { definePathManager } from "mptcpd"; export default definePathManager({ name: "mine", ${setup} });`;
const seeing = (name: string): string =>
  plugin(name, 'newInterface: ({ name }) => pm.log.notice("sees " + name)');
const noModem = 'throw new Error("no modem");';

describe("a reload is refused with its reasons, and the old configuration stays in force,", options, () => {
  it("when the file is wrong, and again when it still is", async (t) => {
    const machine = await Machine.create(t);
    const { configFile } = await machine.start();
    writeFileSync(configFile, "[core]\naddr-flags=signal\non-stop=never\n");
    for (const _ of [1, 2]) {
      const { code, lines } = await askToReload(machine);
      assert.equal(code, 1);
      assert.match(lines[0] ?? "", /^mptcpd: .*mptcpd\.conf:3: on-stop: /);
      assert.equal(lines[1], stays);
    }
    await machine.keeps("10.0.0.1 eth0 subflow");
  });

  it("when the file is gone", async (t) => {
    const machine = await Machine.create(t);
    rmSync((await machine.start()).configFile);
    const { code, lines } = await askToReload(machine);
    assert.equal(code, 1);
    assert.match(lines[0] ?? "", /there is no such file$/);
  });

  const setups = {
    throws: `setup() { ${noModem} }`,
    rejects: `async setup() { await null; ${noModem} }`,
    "waits, and then throws": `async setup(pm) { await pm.sleep(50); ${noModem} }`,
    "misses an interface": `setup: ({ network }) => { if (!network.uplinks.some(({ name }) => name === "lte0")) ${noModem} }`,
    "does not like the endpoints that there are": `async setup(pm) { if ((await pm.endpoints.list()).length === 1) ${noModem} }`,
    "fails in earnest, after it went well in the simulation": `setup() { if (this.done === undefined) { ${onlyInEarnest()} } }`,
  };
  for (const [what, setup] of Object.entries(setups))
    it(`when the setup of a path manager ${what}`, async (t) => {
      const machine = await Machine.create(t);
      const plugins = new PluginDirectory(machine.lab, { "good.js": seeing("good") });
      const { configFile } = await machine.start({
        config: plugins.config("load-plugins=addr_adv,good\npath-manager=good"),
      });
      plugins.write("mine.js", mine(setup.replaceAll("MARK", machine.lab.freshPath("mark"))));
      writeFileSync(configFile, plugins.config("load-plugins=addr_adv,mine\npath-manager=mine"));
      const { code, lines } = await askToReload(machine);
      assert.equal(code, 1, lines.join("\n"));
      assert.match(
        lines[0] ?? "",
        /^mptcpd: mine: setup failed: Error: no modem \(at .*mine\.js:\d+:\d+\)+$/,
      );
      assert.equal(lines.at(-1), stays);
      await machine.says(/^notice: good: sees eth9$/, () => machine.plug("eth9"));
    });

  it("when the changed file of a path manager throws in setup: it works on as it was", async (t) => {
    const machine = await Machine.create(t);
    const plugins = new PluginDirectory(machine.lab, { "mine.js": seeing("mine") });
    await machine.start({ config: plugins.config("path-manager=mine") });
    plugins.write("mine.js", mine(`setup() { ${noModem} }`));
    for (const _ of [1, 2]) assert.equal((await askToReload(machine)).code, 1);
    await machine.says(/^notice: mine: sees eth9$/, () => machine.plug("eth9"));
  });

  const endless = {
    "blocks its thread": ["setup() { for (;;); }", /thread was blocked for 10 s by mine \(setup\)$/],
    "ends its thread": ["setup() { process.exit(3); }", /thread ended with status 3, in mine \(setup\)$/],
    "does not end": [
      "setup: () => new Promise(() => {})",
      /mine: setup failed: Error: was not done in 10000 ms/,
    ],
  } as const;
  for (const [what, [setup, why]] of Object.entries(endless))
    it(`when the setup of a path manager ${what}`, async (t) => {
      const machine = await Machine.create(t);
      const plugins = new PluginDirectory(machine.lab, { "mine.js": mine(setup) });
      const { configFile } = await machine.start();
      writeFileSync(configFile, plugins.config("path-manager=mine"));
      const { code, lines } = await verdictOf(startReload(machine), deadlineMs);
      assert.equal(code, 1);
      assert.match(lines[0] ?? "", why);
      assert.deepEqual(await machine.show(), ["10.0.0.1 eth0 subflow"]);
    });

  it("when the kernel's path manager cannot be set as the new path managers need it", async (t) => {
    const machine = await Machine.create(t);
    const readOnly = 'mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec "$@"';
    const { configFile } = await machine.start({
      command: ["unshare", "--mount", "sh", "-c", readOnly, "sh", ...program],
    });
    writeFileSync(configFile, `${atOnce}path-manager=fullmesh\n`);
    const { code, lines } = await askToReload(machine);
    assert.equal(code, 1);
    assert.match(lines[0] ?? "", /^mptcpd: fullmesh needs the kernel's userspace path manager: cannot set /);
    await machine.keeps("10.0.0.1 eth0 subflow");
  });

  it("when no thread can be started, and goes through when there is one again", async (t) => {
    const machine = await Machine.create(t);
    const file = machine.lab.freshPath("no-threads");
    const env = { LD_PRELOAD: await compiled("no-threads", "library"), NO_THREADS: file };
    const { configFile } = await machine.start({ env });
    writeFileSync(file, "");
    writeFileSync(configFile, `${atOnce}path-manager=fullmesh\n`);
    const { code, lines } = await askToReload(machine);
    assert.equal(code, 1);
    assert.match(lines[0] ?? "", /^mptcpd: the path managers' thread cannot start: .*TasksMax=/);
    rmSync(file);
    assert.deepEqual(await askToReload(machine), inForce);
  });
});

/** Goes well the first time, and makes a mark of it. */
function onlyInEarnest(): string {
  const fs = 'const { existsSync, writeFileSync } = process.getBuiltinModule("fs");';
  return `${fs} if (existsSync("MARK")) ${noModem} writeFileSync("MARK", "");`;
}
