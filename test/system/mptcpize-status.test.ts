import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { compiled, toolsFor } from "../lab/programs.ts";
import { SystemdLab, systemdProblem } from "../lab/systemd.ts";
import { dropIn, install, mptcpize, text, write } from "./units.ts";

describe("mptcpize status, of units", { skip: await systemdProblem([toolsFor.musl]) }, () => {
  let lab: SystemdLab;
  let program: string;
  before(async () => {
    lab = await SystemdLab.boot();
    program = install(lab, await compiled("service", "musl static"), "listener");
  });
  after(() => lab.close());

  /** Makes and starts a service that listens on a port. */
  async function start(name: string, port: number): Promise<void> {
    const lines = ["[Service]", "Type=notify", `ExecStart=${program} ${port}`, ""];
    await write(lab, { [`/etc/systemd/system/${name}.service`]: lines.join("\n") });
    await lab.run("systemctl", "start", name);
  }

  async function status(...args: readonly string[]): Promise<string> {
    return (await mptcpize(lab, "status", ...args)).stdout;
  }

  it("says that a unit was enabled and not started since, then that it works", async () => {
    await start("late", 7000);
    await mptcpize(lab, "enable", "late");
    assert.match(await status("late"), /problem: .*systemctl restart late\.service/);
    await lab.run("systemctl", "restart", "late");
    const working = await status("late");
    assert.match(working, /^late\.service: enabled by seccomp, active, works$/m);
    assert.match(working, /^ +mptcp +listen +127\.0\.0\.1:7000 .*listener\[\d+\]$/m);
    assert.doesNotMatch(working, /problem:/);
    await mptcpize(lab, "disable", "--now", "late");
    assert.match(await status("late"), /^late\.service: not enabled, active$/m);
  });

  it("says that a copied ExecStart= is not the unit's any more, until it is enabled again", async () => {
    await start("moved", 7010);
    await mptcpize(lab, "enable", "--now", "moved");
    const path = "/etc/systemd/system/moved.service";
    await write(lab, { [path]: text(lab, path).replace("7010", "7020") });
    assert.match(await status("moved"), /problem: .*ExecStart=.*mptcpize enable moved\.service/);
    await mptcpize(lab, "enable", "--now", "moved");
    assert.match(await status("moved"), /moved\.service: .* works$[\s\S]*127\.0\.0\.1:7020 /m);
    await mptcpize(lab, "disable", "--now", "moved");
  });

  it("says that somebody has edited the drop-in", async () => {
    await start("edited", 7030);
    await mptcpize(lab, "enable", "edited");
    await write(lab, { [dropIn("edited.service")]: `${text(lab, dropIn("edited.service"))}Nice=1\n` });
    assert.match(await status("edited"), /problem: .*edited/);
    await mptcpize(lab, "disable", "--force", "--now", "edited");
  });

  it("says that systemd still has a drop-in which is gone, until it reads its files again", async () => {
    await start("halfway", 7060);
    await mptcpize(lab, "enable", "--now", "halfway");
    rmSync(lab.path(dropIn("halfway.service")));
    assert.match(
      await status("halfway"),
      /^halfway\.service: not enabled, active$[\s\S]*problem: .*systemctl daemon-reload$/m,
    );
    await lab.run("systemctl", "daemon-reload");
    assert.doesNotMatch(await status("halfway"), /daemon-reload/);
    await lab.run("systemctl", "restart", "halfway");
    assert.doesNotMatch(await status("halfway"), /problem:/);
  });

  it("says that a unit was disabled and not started since", async () => {
    await start("left", 7075);
    await mptcpize(lab, "enable", "--now", "left");
    await mptcpize(lab, "disable", "left");
    assert.match(
      await status("left"),
      /^left\.service: not enabled, active$[\s\S]*problem: not enabled, but process.* with mptcpize until restarted: systemctl restart left\.service$/m,
    );
    await lab.run("systemctl", "restart", "left");
    assert.doesNotMatch(await status("left"), /problem:/);
  });

  it("names what reaches a static program behind a shell", async () => {
    const exec = `/bin/sh -c 'exec ${program} 7070'`;
    await write(lab, {
      "/etc/systemd/system/behind.service": `[Service]\nType=notify\nExecStart=${exec}\n`,
    });
    await lab.run("systemctl", "start", "behind");
    await mptcpize(lab, "enable", "--now", "behind");
    assert.match(await status("behind"), /problem: .*`mptcpize enable --how=seccomp behind\.service`/);
    await mptcpize(lab, "enable", "--now", "--how=seccomp", "behind");
    assert.match(await status("behind"), /^behind\.service: enabled by seccomp, active, works$/m);
    await mptcpize(lab, "disable", "--now", "behind");
  });

  it("shows every enabled unit when none is named", async () => {
    for (const [name, port] of [
      ["some", 7040],
      ["more", 7050],
    ] as const)
      await start(name, port);
    await mptcpize(lab, "enable", "--now", "some", "more");
    const shown = await status();
    for (const name of ["some", "more"]) assert.match(shown, new RegExp(`^${name}\\.service: enabled`, "m"));
    await mptcpize(lab, "disable", "--now", "some", "more");
    assert.doesNotMatch(await status(), /some|more/);
  });
});
