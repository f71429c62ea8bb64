import assert from "node:assert/strict";
import { dirname } from "node:path";
import { after, before, describe, it } from "node:test";
import { SystemdLab, systemdProblem } from "../lab/systemd.ts";
import { dropIn, environmentOf, mptcpize, refuses, text, unitTrees, write } from "./units.ts";

// Type=exec: started means that /proc shows the program, with its environment.
const service = "[Service]\nType=exec\nExecStart=/bin/sleep infinity\n";
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

  /** The drop-ins that systemd has in mind, whatever is in the files by now. */
  async function dropInsRead(unit: string): Promise<string[]> {
    const shown = await lab.run("systemctl", "show", "--property=DropInPaths", "--value", unit);
    return shown.split(/\s+/).filter((path) => path !== "");
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
    const again = await mptcpize(lab, "enable", "real");
    assert.equal(again.stdout, "real.service is already enabled: nothing has changed\n");
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

  it("finishes a disable that was killed before systemd knew", async () => {
    await write(lab, { [`${units}/halved.service`]: service });
    await mptcpize(lab, "enable", "--now", "halved");
    await lab.run("systemctl", "start", "halved");
    assert.equal(await isConverted("halved"), true);
    await lab.run("rm", "--recursive", dirname(dropIn("halved.service")));
    assert.deepEqual(await dropInsRead("halved"), [dropIn("halved.service")]);
    const { stdout } = await mptcpize(lab, "disable", "--now", "halved");
    assert.match(stdout, /^mptcp successfully disabled on unit /);
    assert.deepEqual(await dropInsRead("halved"), []);
    assert.equal(await isConverted("halved"), false);
    assert.match((await mptcpize(lab, "disable", "halved")).stdout, /not enabled/);
  });

  it("clears away what a killed enable left", async () => {
    await write(lab, { [`${units}/rubbish.service`]: service });
    const directory = dirname(dropIn("rubbish.service"));
    for (const commands of [["enable", "disable"], ["disable"]])
      await changesNothing(async () => {
        await lab.run("mkdir", directory);
        await lab.run("touch", `${directory}/.#50-mptcpize.conf.new`, `${directory}/50-mptcpize.env`);
        for (const command of commands) await mptcpize(lab, command, "rubbish");
      });
  });

  it("does one thing at a time, however many are asked for at once", async () => {
    await write(lab, { [`${units}/busy.service`]: service });
    await changesNothing(async () => {
      const thrice = 'for i in 1 2 3; do "$0" "$@" || exit; done';
      const outcomes = ["enable", "disable", "enable", "disable"].map((command) =>
        lab.outcome("sh", "-c", thrice, lab.mptcpize, command, "busy"),
      );
      for (const { code, stderr } of await Promise.all(outcomes))
        assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      const enabled = (await lab.outcome("test", "-e", dropIn("busy.service"))).code === 0;
      assert.deepEqual(await dropInsRead("busy"), enabled ? [dropIn("busy.service")] : []);
      await mptcpize(lab, "disable", "busy");
    });
  });

  it("makes directories that only root can write to, whatever the umask", async () => {
    await write(lab, { [`${units}/masks.service`]: service });
    for (const umask of ["000", "777"]) {
      await lab.run("sh", "-c", `umask ${umask}; exec "$@"`, "sh", lab.mptcpize, "enable", "masks");
      const modes = await lab.run(
        "stat",
        "--format=%a",
        dirname(dropIn("masks.service")),
        dropIn("masks.service"),
      );
      assert.equal(modes, "755\n644\n");
      await mptcpize(lab, "disable", "masks");
    }
  });

  it("says in one line what cannot be read or written, with --dry-run too", async () => {
    await write(lab, { [`${units}/odd.service`]: service });
    await lab.run("mkdir", "--parents", dropIn("odd.service"));
    await refuses(lab, ["enable", "odd"], /50-mptcpize\.conf cannot be read/);
    await refuses(lab, ["disable", "odd"], /50-mptcpize\.conf cannot be read/);
    await lab.run("rm", "--recursive", dirname(dropIn("odd.service")));
    await mptcpize(lab, "enable", "odd");
    await lab.run("mount", "--bind", units, units);
    await lab.run("mount", "--options", "remount,bind,ro", units);
    try {
      await refuses(lab, ["disable", "odd"], /50-mptcpize\.conf cannot be removed.*EROFS/);
      await refuses(lab, ["enable", "--dry-run", "odd"], /odd\.service\.d cannot be written.*EROFS/);
    } finally {
      await lab.run("umount", units);
    }
    await mptcpize(lab, "disable", "odd");
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
