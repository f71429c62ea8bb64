import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { takeEffect } from "../../src/mptcpize/effect.ts";
import { findUnit } from "../../src/services/unit.ts";
import { FakeSystemd } from "./services/fake-systemd.ts";

async function effect(t: TestContext, unit: string, options: { now?: boolean; user?: boolean } = {}) {
  const systemd = new FakeSystemd(t);
  for (const name of ["web.service", "web@.service", "web.socket"]) systemd.put(`lib/${name}`, "");
  systemd.shown["web.socket"] = { Triggers: "web.service other.service" };
  systemd.active.add("web.service");
  const written: string[] = [];
  await takeEffect(
    await findUnit(unit, systemd.systemctl),
    { now: false, user: false, ...options },
    systemd.systemctl,
    { write: (text) => void written.push(text), warn: assert.fail },
  );
  return { output: written.join(""), commands: systemd.commands };
}

describe("a change of a unit", () => {
  it("restarts nothing, but says how", async (t) => {
    const next = async (unit: string, options = {}) => {
      const { output, commands } = await effect(t, unit, options);
      assert.deepEqual(commands, []);
      return output.replace(/^it takes effect at the next start: (.*)\n$/, "$1");
    };
    assert.equal(await next("web"), "systemctl restart web.service");
    assert.equal(await next("web", { user: true }), "systemctl --user restart web.service");
    assert.equal(await next("web@"), "systemctl restart 'web@*.service'");
    assert.equal(await next("web@a\\x2db"), "systemctl restart 'web@a\\x2db.service'");
    assert.equal(
      await next("web.socket"),
      "systemctl stop web.service other.service && systemctl restart web.socket",
    );
  });

  it("restarts what runs for --now", async (t) => {
    const commands = async (unit: string) => (await effect(t, unit, { now: true })).commands;
    assert.deepEqual(await commands("web"), ["try-restart -- web.service"]);
    assert.deepEqual(await commands("web@"), ["try-restart -- web@*.service"]);
    // systemd refuses to start a socket whose service runs.
    assert.deepEqual(await commands("web.socket"), [
      "stop -- web.service",
      "try-restart -- web.socket",
      "start -- web.service",
    ]);
  });
});
