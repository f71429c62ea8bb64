import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { Machine } from "../lab/machine.ts";
import { Peer } from "../lab/peer.ts";
import { check, plugin, sayer, withPlugins } from "../lab/plugin-directory.ts";

const options = { skip: requires(), concurrency: 2 };

describe("who is in charge", options, () => {
  it("an unknown path manager is an error with its place, the nearest name and all that there are", async (t) => {
    const { machine, plugins } = await withPlugins(t, { "one.js": plugin("one", "") });
    for (const loaded of ["", "load-plugins=addr_adv\n"]) {
      const config = plugins.config(`path-manager=oen\n${loaded}`);
      const line = config.split("\n").indexOf("path-manager=oen") + 1;
      const { code, lines } = await machine.runToEnd({ config });
      assert.equal(code, 1);
      assert.deepEqual(lines, [
        `error: ${machine.daemon.configFile}:${line}: path-manager: no plugin has the name "oen" (did you mean one?): known are addr_adv, backup, fullmesh, heal, ndiffports, one and sspi; others go into ${plugins.path} as NAME.js, NAME.mjs or NAME.ts`,
      ]);
    }
    const named = await machine.runToEnd({ config: plugins.config(""), args: ["--path-manager=oen"] });
    assert.match(
      named.lines.join(),
      /^error: --path-manager: no plugin has the name "oen" \(did you mean one\?\)/,
    );
  });

  it("the one with the lowest priority, or of equals the one that was loaded first", async (t) => {
    const files = { "a.js": sayer("a"), "b.js": sayer("b"), "c.js": sayer("c", "priority: -3,") };
    const { machine, plugins } = await withPlugins(t, files);
    const cases = [
      ["", "c"],
      ["load-plugins=a,b", "a"],
      ["load-plugins=b,a", "b"],
      ["load-plugins=b,a,c", "c"],
      ["load-plugins=b,c\npath-manager=a", "a"],
    ] as const;
    for (const [core, expected] of cases) {
      await machine.start({ config: plugins.config(core) });
      await oneListener(machine, expected);
      const { lines } = machine.daemon;
      const told = lines.filter((line) => /^notice: .: told$/.test(line));
      assert.deepEqual(told, [`notice: ${expected}: told`], core);
      const order = lines.flatMap((line) => /^notice: (.): set up$/.exec(line)?.[1] ?? []);
      assert.equal(order[0], core.includes("path-manager") ? "c" : expected, core);
      await machine.stop();
    }
  });

  it("several that are named, all", async (t) => {
    const files = { "a.js": sayer("a"), "b.js": sayer("b"), "c.js": sayer("c") };
    const { machine, plugins } = await withPlugins(t, files);
    await machine.start({ config: plugins.config("path-manager=c,a") });
    await oneListener(machine, "a", "c");
    const told = machine.daemon.lines.filter((line) => /^notice: .: told$/.test(line));
    assert.deepEqual(told.toSorted(), ["notice: a: told", "notice: c: told"]);
  });
});

describe("the options of a plugin", options, () => {
  const strict = `import { definePathManager, option } from "mptcpd";
    import * as v from "valibot";
    export default definePathManager({
      name: "strict",
      options: v.object({ times: option.integer(1, 3) }),
      setup: (pm) => void pm.log.notice("times: " + pm.options.times),
    });`;

  it("are checked: each fault with its file and line", async (t) => {
    const { machine, plugins } = await withPlugins(t, { "strict.js": strict, "one.js": plugin("one", "") });
    const sections = "[plugin strict]\ntimes=9\ntime=1\n[plugin one]\na=b\n";
    const { code, lines } = await check(machine, plugins.config("path-manager=strict,one", sections));
    assert.equal(code, 1);
    assert.deepEqual(lines.map((line) => line.replace(/^mptcpd: \S+\/[^/]*mptcpd\.conf/, "")).toSorted(), [
      ':6: times: "9" is not a whole number from 1 to 3',
      ":7: time is not a key of [plugin strict]: known are times (did you mean times?)",
      ":9: one takes no options",
    ]);
  });

  it("may be required", async (t) => {
    const { machine, plugins } = await withPlugins(t, { "strict.js": strict });
    const { code, lines } = await check(machine, plugins.config("path-manager=strict"));
    assert.equal(code, 1);
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? "", /times: .*; it goes into a section \[plugin strict\]$/);
  });

  it("reach it as what they mean", async (t) => {
    const { machine, plugins } = await withPlugins(t, { "strict.js": strict });
    await machine.start({ config: plugins.config("path-manager=strict", "[plugin strict]\ntimes=2") });
    await machine.daemon.waitForLine(/^notice: strict: times: 2$/);
  });

  it("of one that is not loaded are warned of, with their file and line", async (t) => {
    const { machine, plugins } = await withPlugins(t, { "one.js": plugin("one", "") });
    for (const core of ["", "load-plugins=addr_adv"]) {
      await machine.start({ config: plugins.config(core, "[plugin won]\na=b") });
      assert.equal(machine.problems.length, 1);
      assert.match(
        machine.problems[0] ?? "",
        /^warning: \S+mptcpd\.conf:5: \[plugin won\] has no effect: no plugin of that name is loaded$/,
      );
      await machine.stop();
    }
  });
});

describe("mptcpd --check", options, () => {
  it("loads the plugins and says what is wrong, but sets none up", async (t) => {
    const { machine, plugins } = await withPlugins(t, { "one.js": sayer("one") });
    const { code, lines } = await check(machine, plugins.config("path-manager=one", "[plugin won]"));
    assert.equal(code, 0);
    assert.equal(lines.length, 2, lines.join("\n"));
    assert.match(lines.join("\n"), /\[plugin won\] has no effect/);
    assert.match(lines.join("\n"), /^the configuration is valid$/m);
    assert.equal(await machine.host.sysctl("net.mptcp.pm_type"), "0");
  });

  it("says the same where no plugin needs loading", async (t) => {
    const machine = await Machine.create(t);
    const { code, lines } = await check(machine, "[plugin fullmesh]\nsubflows=nonsense\n");
    assert.equal(code, 0);
    assert.match(
      lines.join("\n"),
      /^\S+:1: \[plugin fullmesh\] has no effect: no plugin of that name is loaded; name it in path-manager or load-plugins$/m,
    );
  });
});

/** Waits until a listener has come and gone, and these were told of it. */
async function oneListener(machine: Machine, ...names: readonly string[]): Promise<void> {
  const peer = new Peer(machine.host);
  const from = machine.daemon.lines.length;
  await peer.stopListening(await peer.listen({ address: "0.0.0.0", port: 0 }));
  for (const name of names) await machine.daemon.waitForLine(new RegExp(`^notice: ${name}: told$`), { from });
  // Whoever else was told, was so by now.
  await machine.settled();
}
