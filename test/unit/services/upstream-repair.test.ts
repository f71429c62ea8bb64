import assert from "node:assert/strict";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { RunCommand } from "../../../src/services/systemd/systemctl.ts";
import { findUnitInAnyState } from "../../../src/services/unit.ts";
import { planRepair, repair } from "../../../src/services/upstream.ts";
import { FakeSystemd } from "./fake-systemd.ts";

const line = "Environment=LD_PRELOAD=/usr/lib/x86_64-linux-gnu/mptcpize/libmptcpwrap.so.0.0.1\n";
const before = "[Unit]\n\n[Service]\nType=simple\nExecStart=/usr/sbin/web\n";
const enabled = before.replace("[Service]\n", `[Service]\n${line}`);

/** Package managers: which of them knows the file. */
function asking(answers: Readonly<Record<string, string>>): RunCommand {
  return async (command) => {
    const answer = answers[command];
    if (answer === undefined) throw Object.assign(new Error(`spawn ${command} ENOENT`), { code: "ENOENT" });
    return { stdout: answer, stderr: "", code: answer === "" ? 1 : 0 };
  };
}

describe("repairing what the C mptcpize did to a unit file", () => {
  it("takes its line out, shows that first, and keeps the file's mode", async (t) => {
    const systemd = new FakeSystemd(t);
    const path = systemd.put("lib/web.service", enabled);
    chmodSync(path, 0o640);
    const plan = await planRepair(await findUnitInAnyState("web", systemd.systemctl), asking({}));
    assert.equal(
      plan?.diff,
      `--- ${path}\n+++ ${path}\n@@ -1,6 +1,5 @@\n [Unit]\n \n [Service]\n-${line} Type=simple\n ExecStart=/usr/sbin/web\n`,
    );
    assert.equal(readFileSync(path, "utf8"), enabled);
    await repair(plan, systemd.systemctl);
    assert.equal(systemd.tree()["lib/web.service"], `100640 ${before}`);
    assert.deepEqual(systemd.commands, ["daemon-reload"]);
  });

  it("keeps every other byte of a file that is not in UTF-8", async (t) => {
    const systemd = new FakeSystemd(t);
    const path = systemd.put("lib/web.service", enabled);
    writeFileSync(path, Buffer.from(`# gr\xfc\xdfe\n${enabled}`, "latin1"));
    const plan = await planRepair(await findUnitInAnyState("web", systemd.systemctl), asking({}));
    assert.ok(plan);
    await repair(plan, systemd.systemctl);
    assert.deepEqual(readFileSync(path), Buffer.from(`# gr\xfc\xdfe\n${before}`, "latin1"));
  });

  it("finds nothing in the files of others, and none where there is no unit", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", before);
    const plan = async (unit: string) =>
      planRepair(await findUnitInAnyState(unit, systemd.systemctl), asking({}));
    assert.equal(await plan("web"), undefined);
    assert.equal(await plan("missing"), undefined);
  });

  it("names the package of the file, for the lines that are lost", async (t) => {
    const systemd = new FakeSystemd(t);
    const path = systemd.put("lib/web.service", enabled);
    const unit = await findUnitInAnyState("web", systemd.systemctl);
    const named = async (answers: Readonly<Record<string, string>>) =>
      (await planRepair(unit, asking(answers)))?.package;
    assert.equal(await named({ dpkg: `web-common: ${path}\n` }), "web-common");
    assert.equal(await named({ rpm: "web-1.2-3.x86_64\n" }), "web-1.2-3.x86_64");
    assert.equal(await named({ dpkg: "" }), undefined);
    assert.equal(await named({}), undefined);
  });
});
