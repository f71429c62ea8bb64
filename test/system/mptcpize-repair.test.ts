import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { downloadedPackage, packageProblem } from "../lab/downloads.ts";
import { SystemdLab, systemdProblem } from "../lab/systemd.ts";
import { dropIn, environmentOf, mptcpize, text, unitTrees, write } from "./units.ts";

const packages = ["mptcpize", "libmptcpwrap0"] as const;
const skip = (await systemdProblem(["dpkg-deb"])) || packages.map(packageProblem).find(Boolean) || false;
const service = "# A unit\n[Unit]\nDescription=one\n\n[Service]\nType=exec\nExecStart=/bin/sleep infinity\n";

/** The C mptcpize, of Debian. */
const upstream = "/usr/bin/mptcpize";

describe("mptcpize --repair, after the C mptcpize", { skip }, () => {
  let lab: SystemdLab;
  before(async () => {
    lab = await SystemdLab.boot();
    for (const name of packages) {
      copyFileSync(downloadedPackage(name), lab.path(`/root/${name}.deb`));
      await lab.run("dpkg-deb", "--extract", `/root/${name}.deb`, "/");
    }
  });
  after(() => lab.close());

  /** A unit that the C mptcpize has enabled; gives the path of its file. */
  async function enabledByUpstream(name: string): Promise<string> {
    const path = `/etc/systemd/system/${name}.service`;
    await write(lab, { [path]: service });
    await lab.run(upstream, "enable", name);
    assert.match(
      text(lab, path),
      /^Environment=LD_PRELOAD=\/\S+libmptcpwrap\S+$/m,
      "upstream wrote into the unit file",
    );
    return path;
  }

  it("takes upstream's line out of the unit file, having shown it, and enables the unit", async () => {
    const path = await enabledByUpstream("enabled");
    const { stdout } = await mptcpize(lab, "enable", "--repair", "enabled");
    const diff = `^--- ${path}\n\\+\\+\\+ ${path}\n@@ .* @@\n[^]*^-Environment=LD_PRELOAD=[^]*^mptcp successfully enabled`;
    assert.match(stdout, new RegExp(diff, "m"));
    assert.equal(text(lab, path), service);
    await lab.run("systemctl", "start", "enabled");
    const environment = await environmentOf(lab, "enabled");
    assert.equal(environment.get("LD_PRELOAD"), "/opt/mptcpd/dist/libmptcpwrap.so");
    await mptcpize(lab, "disable", "enabled");
  });

  it("gives the unit back as it was, with disable", async () => {
    const path = await enabledByUpstream("disabled");
    await mptcpize(lab, "disable", "--repair", "disabled");
    assert.equal(text(lab, path), service);
    await lab.run("systemctl", "start", "disabled");
    assert.equal((await environmentOf(lab, "disabled")).has("LD_PRELOAD"), false);
  });

  it("only shows the change with --dry-run", async () => {
    const path = await enabledByUpstream("shown");
    const trees = await unitTrees(lab);
    for (const command of ["enable", "disable"]) {
      const { stdout, stderr } = await mptcpize(lab, command, "--repair", "--dry-run", "shown");
      assert.match(stdout, new RegExp(`^--- ${path}$[^]*^-Environment=LD_PRELOAD=`, "m"));
      assert.doesNotMatch(stderr, /--repair/, "what is done is not advised");
    }
    assert.equal(await unitTrees(lab), trees);
  });

  it("is advised by enable, which loads the library once all the same", async () => {
    const path = await enabledByUpstream("advised");
    const { stderr } = await mptcpize(lab, "enable", "advised");
    assert.match(stderr, new RegExp(`${path}:6 .*mptcpize enable --repair advised\\.service`));
    await lab.run("systemctl", "start", "advised");
    const environment = await environmentOf(lab, "advised");
    assert.equal(environment.get("LD_PRELOAD"), "/opt/mptcpd/dist/libmptcpwrap.so");
    await lab.run("test", "-e", dropIn("advised.service"));
    await mptcpize(lab, "disable", "--repair", "advised");
    assert.equal(text(lab, path), service);
  });
});
