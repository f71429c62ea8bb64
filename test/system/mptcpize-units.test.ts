import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { SystemdLab, systemdProblem } from "../lab/systemd.ts";
import { dropIn, environmentOf, mptcpize, refuses, text, unitTrees, write } from "./units.ts";

const service = "[Service]\nExecStart=/bin/sleep infinity\n";
const units = "/etc/systemd/system";

describe("mptcpize enable, for units of every kind", { skip: await systemdProblem() }, () => {
  let lab: SystemdLab;
  before(async () => {
    lab = await SystemdLab.boot();
  });
  after(() => lab.close());

  async function isConverted(unit: string): Promise<boolean> {
    const preload = (await environmentOf(lab, unit)).get("LD_PRELOAD") ?? "";
    return preload.endsWith("/libmptcpwrap.so");
  }

  /** A command of mptcpize, and what it said, that left no trace. */
  async function changesNothing(command: () => Promise<unknown>): Promise<void> {
    const trees = await unitTrees(lab);
    await command();
    assert.equal(await unitTrees(lab), trees);
  }

  it("reaches all instances of a template, or one", async () => {
    await write(lab, { [`${units}/many@.service`]: service });
    await lab.run("systemctl", "start", "many@one", "many@two");
    await mptcpize(lab, "enable", "--now", "many@one.service");
    assert.equal(await isConverted("many@one"), true);
    assert.equal(await isConverted("many@two"), false);
    await mptcpize(lab, "enable", "--now", "many@");
    assert.equal(await isConverted("many@two"), true);
    const { stdout, stderr } = await mptcpize(lab, "disable", "--now", "many@one");
    assert.match(stdout + stderr, /many@\.service/, "says that the template still holds");
    assert.equal(await isConverted("many@one"), true);
    await mptcpize(lab, "disable", "--now", "many@.service");
    assert.equal(await isConverted("many@one"), false);
    assert.equal(await isConverted("many@two"), false);
  });

  it("writes for the unit itself when it is named by an alias", async () => {
    await write(lab, { [`${units}/real.service`]: `${service}[Install]\nAlias=other.service\n` });
    await lab.run("systemctl", "enable", "real");
    const { stdout } = await mptcpize(lab, "enable", "other");
    assert.match(stdout, /^mptcp successfully enabled on unit \/etc\/systemd\/system\/real\.service$/m);
    assert.match(text(lab, dropIn("real.service")), /^Way=preload$/m);
    await mptcpize(lab, "disable", "other");
  });

  it("restarts a running unit on --now only, and never starts one", async () => {
    await write(lab, { [`${units}/now.service`]: service, [`${units}/idle.service`]: service });
    await lab.run("systemctl", "start", "now");
    const pid = () => lab.run("systemctl", "show", "--property=MainPID", "now");
    const first = await pid();
    await mptcpize(lab, "enable", "now");
    assert.equal(await pid(), first);
    await mptcpize(lab, "enable", "--now", "now", "idle");
    assert.notEqual(await pid(), first);
    assert.equal(await isConverted("now"), true);
    assert.equal((await lab.outcome("systemctl", "is-active", "idle")).stdout, "inactive\n");
    await mptcpize(lab, "disable", "--now", "now", "idle");
    assert.equal(await isConverted("now"), false);
  });

  it("shows with --dry-run what it would write, and writes nothing", async () => {
    await write(lab, { [`${units}/shown.service`]: service });
    let shown = "";
    await changesNothing(async () => {
      shown = (await mptcpize(lab, "enable", "--dry-run", "shown")).stdout;
    });
    await mptcpize(lab, "enable", "shown");
    assert.equal(shown, `# ${dropIn("shown.service")}\n${text(lab, dropIn("shown.service"))}`);
    await changesNothing(() => mptcpize(lab, "disable", "--dry-run", "shown"));
    await mptcpize(lab, "disable", "shown");
  });

  it("takes away nothing but what it wrote", async () => {
    const mine = `${units}/mine.service.d/10-mine.conf`;
    await write(lab, { [`${units}/mine.service`]: service, [mine]: "[Service]\nNice=1\n" });
    await changesNothing(async () => {
      await mptcpize(lab, "enable", "mine");
      await mptcpize(lab, "disable", "mine");
      const { stdout, stderr } = await mptcpize(lab, "disable", "mine");
      assert.match(stdout + stderr, /not enabled/);
    });
    await mptcpize(lab, "enable", "mine");
    const edited = `${text(lab, dropIn("mine.service"))}Environment=MINE=1\n`;
    await write(lab, { [dropIn("mine.service")]: edited });
    await refuses(lab, ["disable", "mine"], /edited|changed/);
    assert.equal(text(lab, dropIn("mine.service")), edited);
    await mptcpize(lab, "disable", "--force", "mine");
  });

  it("refuses units that are masked, missing, broken, transient or of another type, and changes nothing", async () => {
    await lab.run("systemctl", "mask", "masked-by-test.service");
    await lab.run("systemd-run", "--unit=transient", "/bin/sleep", "infinity");
    await write(lab, {
      [`${units}/broken.service`]: "[Service]\nExecStart=./relative\n",
      [`${units}/bare.service`]: "[Service]\nExecStart=/usr/bin/there-is-none\n",
      [`${units}/nothing.service`]: "[Unit]\nDescription=has no command\n",
    });
    await changesNothing(async () => {
      await refuses(lab, ["enable", "masked-by-test"], /masked/);
      await refuses(lab, ["enable", "nowhere"], "can't find unit file for service nowhere");
      await refuses(lab, ["disable", "nowhere"], "can't find unit file for service nowhere");
      await refuses(lab, ["enable", "broken"], /broken\.service/);
      await refuses(lab, ["enable", "bare"], /bare\.service.*\/usr\/bin\/there-is-none/);
      await refuses(lab, ["enable", "nothing"], /nothing\.service/);
      await refuses(lab, ["enable", "transient"], /transient/);
      await refuses(lab, ["enable", "basic.target"], /target/);
      await refuses(lab, ["enable", `${units}/nowhere.service`], /nowhere\.service/);
    });
    await lab.run("systemctl", "stop", "transient");
  });

  it("goes on with the next unit when one is refused, and exits with 1", async () => {
    await write(lab, { [`${units}/good.service`]: service });
    const { code, stdout } = await lab.outcome(lab.mptcpize, "enable", "nowhere", "good");
    assert.equal(code, 1);
    assert.match(stdout, /enabled on unit .*good\.service/);
    await mptcpize(lab, "disable", "good");
  });

  it("takes a name as a name, whatever a shell would make of it", async () => {
    await changesNothing(async () => {
      // A slash would make it a path, which is another matter.
      const file = "made-by-a-shell";
      for (const name of [
        `x; touch ${file}`,
        `$(touch ${file})`,
        `\`touch ${file}\``,
        `x|touch ${file}`,
        "-x",
        "../x",
      ])
        for (const command of ["enable", "disable"]) {
          const { code, stderr } = await lab.outcome(lab.mptcpize, command, "--", name);
          assert.equal(code, 1, `${command} ${name}`);
          assert.match(stderr, /^mptcpize: .+\n$/);
        }
      await lab.run("test", "!", "-e", `/${file}`);
    });
  });

  it("does as much for a unit that a generator made", async () => {
    const generator = "/etc/systemd/system-generators/test";
    await write(lab, {
      [generator]: `#!/bin/sh\nprintf '${service.replaceAll("\n", "\\n")}' >"$1/generated.service"\n`,
    });
    await lab.run("chmod", "755", generator);
    await lab.run("systemctl", "daemon-reload");
    await mptcpize(lab, "enable", "generated");
    await lab.run("systemctl", "start", "generated");
    assert.equal(await isConverted("generated"), true);
    await mptcpize(lab, "disable", "generated");
  });

  it("needs root, and says so before anything else", async () => {
    const asNobody = ["--reuid=65534", "--clear-groups", lab.mptcpize];
    const { code, stderr } = await lab.outcome("setpriv", ...asNobody, "enable", "nowhere");
    assert.equal(code, 1);
    assert.match(stderr, /^mptcpize: .*root.*\n$/);
  });

  it("keeps units enabled over a reboot, but for those of --runtime", async () => {
    await write(lab, { [`${units}/kept.service`]: service, [`${units}/passing.service`]: service });
    await mptcpize(lab, "enable", "kept");
    await mptcpize(lab, "enable", "--runtime", "passing");
    const converted = async () => {
      await lab.run("systemctl", "start", "kept", "passing");
      return { kept: await isConverted("kept"), passing: await isConverted("passing") };
    };
    assert.deepEqual(await converted(), { kept: true, passing: true });
    await lab.reboot();
    assert.deepEqual(await converted(), { kept: true, passing: false });
    await mptcpize(lab, "disable", "kept");
  });
});
