import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { SystemdLab, systemdProblem } from "../lab/systemd.ts";
import { exampleUnit, serviceExamples } from "../unit/services/systemd/examples.ts";
import { dropIn, environmentOf, mptcpize, refuses, unitTrees, write } from "./units.ts";

const library = "/opt/mptcpd/dist/libmptcpwrap.so";
const own = "libm.so.6";

// Type=exec: started means that /proc shows the program, with its environment.
const sleeping = "Type=exec\nExecStart=/bin/sleep infinity\n";

/** What systemd gives to every service. */
const everywhere = ["LANG", "PATH"];

describe("mptcpize enable, and the environment of a unit", { skip: await systemdProblem() }, () => {
  let lab: SystemdLab;
  before(async () => {
    lab = await SystemdLab.boot();
  });
  after(() => lab.close());

  /** The environment that a unit's process gets before enable, after it, and after disable. */
  async function threeTimes(unit: string) {
    const started = async () => {
      await lab.run("systemctl", "restart", unit);
      return environmentOf(lab, unit);
    };
    const trees = await unitTrees(lab);
    const before = await started();
    await mptcpize(lab, "enable", unit);
    const enabled = await started();
    await mptcpize(lab, "disable", unit);
    assert.equal(await unitTrees(lab), trees);
    assert.deepEqual(await started(), before);
    await lab.run("systemctl", "stop", unit);
    return { before, enabled };
  }

  for (const { about, unit, files, environment } of serviceExamples)
    it(`keeps what a unit says with ${about}, and adds to LD_PRELOAD and GODEBUG`, async () => {
      const path = `/etc/systemd/system/${exampleUnit}`;
      await write(lab, { ...files, [path]: unit, [`${path}.d/10-sleeping.conf`]: `[Service]\n${sleeping}` });
      const { before, enabled } = await threeTimes(exampleUnit);
      const own = Object.fromEntries([...before].filter(([name]) => !everywhere.includes(name)));
      assert.deepEqual(own, environment);
      const { LD_PRELOAD, GODEBUG } = environment;
      const expected = new Map(before)
        .set("LD_PRELOAD", LD_PRELOAD === undefined ? library : `${LD_PRELOAD}:${library}`)
        .set("GODEBUG", GODEBUG === undefined ? "multipathtcp=1" : `${GODEBUG},multipathtcp=1`);
      assert.deepEqual(enabled, expected);
    });

  it("adds to what an EnvironmentFile= says, which wins over Environment=", async () => {
    const unit = [
      "[Service]",
      `Environment=LD_PRELOAD=/nowhere.so`,
      "EnvironmentFile=/etc/default/preloading",
      sleeping,
    ];
    await write(lab, {
      "/etc/systemd/system/preloading.service": unit.join("\n"),
      "/etc/default/preloading": `LD_PRELOAD="${own}" OTHER\nKEPT='a $b %n'\n`,
    });
    const { before, enabled } = await threeTimes("preloading.service");
    assert.equal(before.get("KEPT"), "a $b %n");
    const preload = before.get("LD_PRELOAD");
    const expected = new Map(before)
      .set("LD_PRELOAD", `${preload}:${library}`)
      .set("GODEBUG", "multipathtcp=1");
    assert.deepEqual(enabled, expected);
  });

  it("takes the manager's LD_PRELOAD where the unit passes it on", async () => {
    const lines = ["[Service]", "PassEnvironment=LD_PRELOAD", sleeping];
    await write(lab, { "/etc/systemd/system/passing.service": lines.join("\n") });
    await lab.run("systemctl", "set-environment", `LD_PRELOAD=${own}`);
    const { before, enabled } = await threeTimes("passing.service");
    await lab.run("systemctl", "unset-environment", "LD_PRELOAD");
    assert.equal(before.get("LD_PRELOAD"), own);
    assert.equal(enabled.get("LD_PRELOAD"), `${own}:${library}`);
  });

  it("names the drop-in that would undo it, and leaves everything as it is", async () => {
    const override = "/etc/systemd/system/overridden.service.d/90-mine.conf";
    await write(lab, {
      "/etc/systemd/system/overridden.service": "[Service]\nExecStart=/bin/sleep infinity\n",
      [override]: "[Service]\nEnvironment=LD_PRELOAD=\n",
    });
    const trees = await unitTrees(lab);
    await refuses(lab, ["enable", "overridden"], new RegExp(override.replaceAll(".", "\\.")));
    await write(lab, { [override]: "[Service]\nUnsetEnvironment=LD_PRELOAD\n" });
    await refuses(lab, ["enable", "overridden"], /UnsetEnvironment=/);
    await write(lab, { [override]: "[Service]\nEnvironment=LD_PRELOAD=\n" });
    assert.equal(await unitTrees(lab), trees);
  });

  it("follows the unit when it is enabled again", async () => {
    const path = "/etc/systemd/system/changing.service";
    const unit = (value: string) => `[Service]\nEnvironment=LD_PRELOAD=${value}\n${sleeping}`;
    await write(lab, { [path]: unit(own) });
    await mptcpize(lab, "enable", "changing");
    const once = await unitTrees(lab);
    await mptcpize(lab, "enable", "changing");
    assert.equal(await unitTrees(lab), once, "idempotent");
    await write(lab, { [path]: unit("libdl.so.2") });
    await mptcpize(lab, "enable", "changing");
    await lab.run("systemctl", "start", "changing");
    const environment = await environmentOf(lab, "changing");
    assert.equal(environment.get("LD_PRELOAD"), `libdl.so.2:${library}`);
    await mptcpize(lab, "disable", "changing");
    await lab.run("sh", "-c", `test ! -e ${dropIn("changing.service")}`);
  });
});
