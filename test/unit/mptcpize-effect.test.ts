import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type EffectOptions, takeEffect } from "../../src/mptcpize/effect.ts";
import { findUnitInAnyState } from "../../src/services/unit.ts";
import { FakeSystemd } from "./services/fake-systemd.ts";

type Options = Partial<EffectOptions> & { readonly failing?: string };

async function effect(t: TestContext, unit: string, { failing, ...options }: Options = {}) {
  const systemd = new FakeSystemd(t);
  systemd.failing = failing;
  for (const name of ["web.service", "web@.service", "web.socket"]) systemd.put(`lib/${name}`, "");
  systemd.shown["web.socket"] = { Triggers: "web.service other.service" };
  systemd.active.add("web.service");
  const written: string[] = [];
  await takeEffect(
    await findUnitInAnyState(unit, systemd.systemctl),
    { now: false, user: false, state: "enabled", ...options },
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

  it("says what a unit is when its restart fails, and what takes that back", async (t) => {
    await assert.rejects(effect(t, "web", { now: true, failing: "try-restart" }), {
      message: /try-restart.*web\.service stays enabled: `mptcpize disable --now web\.service`/,
    });
    await assert.rejects(
      effect(t, "web@a\\x2db", { now: true, user: true, state: "disabled", failing: "try-restart" }),
      { message: /stays disabled: `mptcpize enable --now --user 'web@a\\x2db\.service'`/ },
    );
  });

  it("has no next start to name when the unit is gone", async (t) => {
    for (const now of [true, false])
      assert.deepEqual(await effect(t, "gone", { now }), { output: "", commands: [] });
  });
});
