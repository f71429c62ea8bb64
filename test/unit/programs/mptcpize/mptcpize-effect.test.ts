import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type EffectOptions, takeEffect } from "../../../../src/programs/mptcpize/effect.ts";
import { findUnitInAnyState } from "../../../../src/services/unit.ts";
import { FakeSystemd } from "../../services/fake-systemd.ts";

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

  it("takes no service from a socket whose connections systemd accepts, nor restarts an instance", async (t) => {
    const systemd = new FakeSystemd(t);
    for (const name of ["echo@.service", "echo.socket"]) systemd.put(`lib/${name}`, "");
    systemd.shown["echo.socket"] = {
      Accept: "yes",
      Triggers: "echo@0-127.0.0.1:5000-127.0.0.1:5001.service",
    };
    const take = async (unit: string, now: boolean) => {
      const written: string[] = [];
      const context = { write: (text: string) => void written.push(text), warn: assert.fail };
      const found = await findUnitInAnyState(unit, systemd.systemctl);
      systemd.commands.splice(0);
      await takeEffect(found, { now, user: false, state: "enabled" }, systemd.systemctl, context);
      return [...written, ...systemd.commands];
    };
    const byItself = ["it takes effect with the next connection that echo.socket accepts\n"];
    assert.deepEqual(await take("echo.socket", false), [
      "it takes effect at the next start: systemctl restart echo.socket\n",
    ]);
    assert.deepEqual(await take("echo.socket", true), ["try-restart -- echo.socket"]);
    assert.deepEqual(await take("echo@.service", false), byItself);
    assert.deepEqual(await take("echo@.service", true), byItself);
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
      message: /try-restart.*web\.service stays enabled; `mptcpize disable --now web\.service`/,
    });
    await assert.rejects(
      effect(t, "web@a\\x2db", { now: true, user: true, state: "disabled", failing: "try-restart" }),
      { message: /stays disabled; `mptcpize enable --now --user 'web@a\\x2db\.service'`/ },
    );
  });

  it("has no next start to name when the unit is gone", async (t) => {
    for (const now of [true, false])
      assert.deepEqual(await effect(t, "gone", { now }), { output: "", commands: [] });
  });
});
