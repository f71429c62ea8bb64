import assert from "node:assert/strict";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { first, second, twoAddresses } from "../lab/examples.ts";
import { atOnce, Machine } from "../lab/machine.ts";
import { PluginDirectory, plugin } from "../lab/plugin-directory.ts";

const options = { skip: requires(), concurrency: 4 };

describe("SIGHUP", options, () => {
  it("puts a changed file into force", async (t) => {
    const machine = await Machine.create(t);
    await machine.start();
    await machine.reload(`${atOnce}addr-flags=signal\n`);
    assert.deepEqual(await machine.show(), ["10.0.0.1 eth0 signal"]);
  });

  it("changes backup and fullmesh in place, and says of other flags that this breaks subflows", async (t) => {
    const machine = await Machine.create(t, twoAddresses);
    await machine.start();
    const { id } = await machine.endpoint("10.0.0.2");
    for (const flags of ["subflow,backup", "subflow,fullmesh", "subflow,backup,fullmesh", "subflow"]) {
      await machine.reload(`${atOnce}addr-flags=${flags}\n`);
      await machine.has(`10.0.0.1 eth0 ${flags}`, `10.0.0.2 eth0 ${flags}`);
      assert.equal((await machine.endpoint("10.0.0.2")).id, id);
    }
    assert.doesNotMatch(machine.daemon.output, /deleted/);
    await machine.reload(`${atOnce}addr-flags=signal\n`);
    await machine.has("10.0.0.1 eth0 signal", "10.0.0.2 eth0 signal");
    assert.equal((await machine.endpoint("10.0.0.2")).id, id);
    assert.match(
      machine.daemon.output,
      /10\.0\.0\.2 .*deleted, flags subflow become signal; this breaks its subflows/,
    );
  });

  it("a bad file is refused whole and the old one stays in force", async (t) => {
    const machine = await Machine.create(t);
    await machine.start();
    await machine.reload("[core]\naddr-flags=signal\non-stop=never\n");
    const [fault, ...more] = machine.problems;
    assert.match(
      fault ?? "",
      /^error: .*mptcpd\.conf:3: on-stop: "?never"? is unknown: allowed are keep or remove/,
    );
    assert.deepEqual(more, ["error: the configuration was not reloaded: the old one stays in force"]);
    await machine.ip("addr add 10.0.0.2/24 dev eth0");
    await machine.has(first, second);
    await machine.reload(`${atOnce}addr-flags=signal\n`);
    await machine.has("10.0.0.1 eth0 signal", "10.0.0.2 eth0 signal");
  });

  it("waits for the one before, also for one that came while it started", async (t) => {
    const machine = await Machine.create(t);
    const plugins = new PluginDirectory(machine.lab);
    const [begun, goOn] = [machine.lab.freshPath("begun"), machine.lab.freshPath("go-on")];
    const loadSlowly = (round: number) =>
      plugins.write(
        "slow.mjs",
        `import { existsSync, writeFileSync } from "node:fs";
         writeFileSync("${begun}${round}", "");
         while (!existsSync("${goOn}${round}")) await new Promise((resolve) => setTimeout(resolve, 10));
         ${plugin("slow", "")}`,
      );
    const begins = (round: number) =>
      machine.eventually("the plugin to be loaded", () => assert.ok(existsSync(`${begun}${round}`)));
    loadSlowly(1);
    const daemon = machine.launch({ config: plugins.config("path-manager=slow") });
    await begins(1);
    daemon.signal("SIGHUP");
    await machine.host.run("true");
    loadSlowly(2);
    writeFileSync(`${goOn}1`, "");
    await begins(2);
    writeFileSync(daemon.configFile, `${atOnce}addr-flags=signal\n`);
    daemon.signal("SIGHUP");
    await machine.host.run("true");
    writeFileSync(`${goOn}2`, "");
    await machine.eventually("two reloads", () =>
      assert.equal(daemon.lines.filter((line) => line === "notice: configuration reloaded").length, 2),
    );
    assert.deepEqual(await machine.show(), ["10.0.0.1 eth0 signal"]);
  });

  it("a file that is gone is refused too", async (t) => {
    const machine = await Machine.create(t);
    await machine.start();
    rmSync(machine.daemon.configFile);
    await machine.says(/^error: .*there is no such file/, () => machine.reload());
    await machine.has(first);
  });
});
