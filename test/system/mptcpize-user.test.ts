import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import type { Outcome } from "../lab/booted-system.ts";
import { SystemdLab, systemdProblem } from "../lab/systemd.ts";
import { text, unitTrees, write } from "./units.ts";

// pam_systemd(8): without it a user's service manager gets no XDG_RUNTIME_DIR.
const pam = !existsSync("/usr/share/pam-configs/systemd") && "needs the package libpam-systemd";

describe("mptcpize --user", { skip: (await systemdProblem(["useradd", "runuser"])) || pam }, () => {
  let lab: SystemdLab;
  let uid: string;
  before(async () => {
    lab = await SystemdLab.boot();
    await lab.run("useradd", "--create-home", "alice");
    uid = (await lab.run("id", "--user", "alice")).trim();
    await lab.run("systemctl", "start", `user@${uid}.service`);
  });
  after(() => lab.close());

  function asAlice(...command: readonly string[]): Promise<Outcome> {
    const environment = ["HOME=/home/alice", `XDG_RUNTIME_DIR=/run/user/${uid}`];
    return lab.outcome("runuser", "-u", "alice", "--", "env", ...environment, ...command);
  }

  it("is for a user's own units, and for no others", async () => {
    const directory = "/home/alice/.config/systemd/user";
    // Type=exec: started means that /proc shows the program, with its environment.
    const unit = "[Service]\nType=exec\nExecStart=/bin/sleep infinity\n";
    await write(lab, { [`${directory}/own.service`]: unit });
    await lab.run("chown", "--recursive", "alice:", "/home/alice");
    const trees = await unitTrees(lab);
    const files = () => lab.run("find", directory, "-type", "f");
    const before = await files();
    await asAlice("systemctl", "--user", "daemon-reload");
    await asAlice("systemctl", "--user", "start", "own");

    const enabled = await asAlice(lab.mptcpize, "enable", "--user", "--now", "own");
    assert.equal(enabled.code, 0, enabled.stderr);
    assert.match(text(lab, `${directory}/own.service.d/50-mptcpize.conf`), /^Way=preload$/m);
    const { stdout: pid } = await asAlice(
      "systemctl",
      "--user",
      "show",
      "--property=MainPID",
      "--value",
      "own",
    );
    const environment = await lab.run("cat", `/proc/${pid.trim()}/environ`);
    assert.match(environment, /(^|\0)LD_PRELOAD=\/opt\/mptcpd\/dist\/libmptcpwrap\.so(\0|$)/);

    const disabled = await asAlice(lab.mptcpize, "disable", "--user", "own");
    assert.equal(disabled.code, 0, disabled.stderr);
    assert.equal(await files(), before);

    const refused = await asAlice(lab.mptcpize, "enable", "own");
    assert.equal(refused.code, 1);
    assert.equal(await unitTrees(lab), trees);
  });
});
