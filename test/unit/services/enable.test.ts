import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { disable } from "../../../src/services/disable.ts";
import { readDropIn } from "../../../src/services/drop-in.ts";
import { type EnableOptions, enable } from "../../../src/services/enable.ts";
import { UnknownUnitError } from "../../../src/services/refusal.ts";
import { UnitNameError } from "../../../src/services/systemd/unit-name.ts";
import { refusal } from "./facts.ts";
import { FakeSystemd, library } from "./fake-systemd.ts";

const plain = "[Service]\nExecStart=/usr/sbin/web\n";
const dropIn = "etc/web.service.d/50-mptcpize.conf";
const environmentFile = "etc/web.service.d/50-mptcpize.env";

function enableIn(systemd: FakeSystemd, unit = "web", options: Partial<EnableOptions> = {}) {
  const { systemctl, launcher, directories } = systemd;
  return enable(
    unit,
    { how: "auto", runtime: false, force: false, dryRun: false, repair: false, ...options },
    {
      systemctl,
      launcher,
      directories,
      user: false,
      identityOf: async () => undefined,
      bpf: {
        attachCommand: ["/usr/bin/node", "/opt/mptcpize.js", "attach"],
        check: async () => {
          if (systemd.refusesBpf) throw new Error("this kernel has no BTF");
        },
      },
    },
  );
}

function disableIn(systemd: FakeSystemd, unit = "web", { force = false, dryRun = false } = {}) {
  const { systemctl, directories } = systemd;
  return disable(
    unit,
    { force, dryRun },
    { systemctl, directories, forgetBpf: async (name) => void systemd.commands.push(`forget ${name}`) },
  );
}

describe("enable", () => {
  it("writes a drop-in, has systemd read it, and restarts nothing", async (t) => {
    const systemd = new FakeSystemd(t);
    const unit = systemd.put("lib/web.service", plain);
    const before = systemd.tree();
    const enabled = await enableIn(systemd);
    assert.equal(enabled.unit.fragment, unit);
    assert.deepEqual(systemd.commands, ["daemon-reload", "daemon-reload"]);
    const { [dropIn]: written = "", "etc/web.service.d": directory, etc, ...rest } = systemd.tree();
    assert.deepEqual(rest, before);
    assert.match(written, /^100644 # .*\n# .*mptcpize disable web\.service/);
    assert.ok(directory && etc);
    assert.deepEqual(systemd.environmentOf("web.service"), {
      LD_PRELOAD: library,
      GODEBUG: "multipathtcp=1",
    });
  });

  it("leaves the same files when it is done twice", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", plain);
    await enableIn(systemd);
    const once = systemd.tree();
    await enableIn(systemd);
    assert.deepEqual(systemd.tree(), once);
  });

  it("says whether it changed anything", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", plain);
    assert.equal((await enableIn(systemd)).changed, true);
    systemd.commands.length = 0;
    assert.equal((await enableIn(systemd)).changed, false);
    assert.deepEqual(systemd.commands, ["daemon-reload"]);
    systemd.put("lib/web.service", `${plain}Environment=LD_PRELOAD=/own.so\n`);
    assert.equal((await enableIn(systemd)).changed, true);
  });

  it("makes a directory that nobody else can write to, whatever the umask", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", plain);
    const umask = process.umask();
    t.after(() => process.umask(umask));
    for (const mask of [0, 0o777]) {
      process.umask(mask);
      await enableIn(systemd);
      assert.deepEqual(
        ["etc", "etc/web.service.d", dropIn].map((path) => systemd.tree()[path]?.split(" ")[0]),
        ["40755", "40755", "100644"],
      );
      await disableIn(systemd);
      rmSync(join(systemd.root, "etc"), { recursive: true });
    }
  });

  it("clears away what a killed run left, the directory too if nothing else is in it", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", plain);
    systemd.put("etc/other", "");
    const before = systemd.tree();
    const killed = () => {
      systemd.put("etc/web.service.d/.#50-mptcpize.conf.new", "half");
      systemd.put("etc/web.service.d/.#50-mptcpize.env.new", "half");
      systemd.put(environmentFile, "LD_PRELOAD=/some.so\n");
    };
    killed();
    await enableIn(systemd);
    assert.deepEqual(
      Object.keys(systemd.tree()).filter((path) => path.startsWith("etc/web.service.d/")),
      [dropIn],
    );
    await disableIn(systemd);
    assert.deepEqual(systemd.tree(), before);
    killed();
    assert.equal((await disableIn(systemd)).removed.length, 3);
    assert.deepEqual(systemd.tree(), before);
    const own = systemd.put("etc/web.service.d/10-own.conf", "[Service]\nNice=1\n");
    killed();
    await enableIn(systemd);
    await disableIn(systemd);
    rmSync(own);
    await enableIn(systemd);
    await disableIn(systemd);
    assert.ok(systemd.tree()["etc/web.service.d"], "an empty directory is somebody's");
  });

  it("keeps every Environment= of the user, LD_PRELOAD and GODEBUG among them", async (t) => {
    const systemd = new FakeSystemd(t);
    const lines = [
      "Environment=A=1 'B=2 x' \"C=3\"",
      "Environment=D=4 \\",
      "  E=5",
      "Environment=LD_PRELOAD=/own.so",
      "Environment=GODEBUG=http2server=0",
    ];
    systemd.put("lib/web.service", `${plain}${lines.join("\n")}\n`);
    systemd.put("etc/web.service.d/10-own.conf", "[Service]\nEnvironment=F=6\n");
    const before = systemd.environmentOf("web.service");
    await enableIn(systemd);
    assert.deepEqual(systemd.environmentOf("web.service"), {
      ...before,
      LD_PRELOAD: `/own.so:${library}`,
      GODEBUG: "http2server=0,multipathtcp=1",
    });
    assert.equal(Object.keys(before).length, 8);
  });

  it("starts from the user's present values when it is done again", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", `${plain}Environment=LD_PRELOAD=/old.so\n`);
    await enableIn(systemd);
    systemd.put("lib/web.service", `${plain}Environment=LD_PRELOAD=/new.so\n`);
    await enableIn(systemd);
    const { LD_PRELOAD } = systemd.environmentOf("web.service");
    assert.equal(LD_PRELOAD, `/new.so:${library}`);
  });

  it("writes an environment file where the unit has one that would win, and drops it when it does no more", async (t) => {
    const systemd = new FakeSystemd(t);
    const own = systemd.put("default", "LD_PRELOAD='/own.so'\nOTHER=1\n");
    systemd.put("lib/web.service", `${plain}EnvironmentFile=-${own}\n`);
    await enableIn(systemd);
    assert.match(
      systemd.tree()[environmentFile] ?? "",
      new RegExp(`^LD_PRELOAD="?/own\\.so:${library}"?$`, "m"),
    );
    assert.equal(readDropIn(join(systemd.root, dropIn))?.edited, false);
    systemd.put("default", "OTHER=1\n");
    await enableIn(systemd);
    assert.equal(systemd.tree()[environmentFile], undefined);
    const { LD_PRELOAD } = systemd.environmentOf("web.service");
    assert.equal(LD_PRELOAD, library);
  });

  it("puts a static program under the launcher, and follows when its ExecStart= changes", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.ways["/usr/sbin/web"] = "seccomp";
    systemd.put("lib/web.service", "[Service]\nExecStart=-/usr/sbin/web -a\n");
    await enableIn(systemd);
    systemd.put("lib/web.service", "[Service]\nExecStart=-/usr/sbin/web -b\n");
    await enableIn(systemd);
    const { originalExecStart, launcher, way } = readDropIn(join(systemd.root, dropIn)) ?? {};
    assert.deepEqual(
      [originalExecStart, launcher, way],
      [["-/usr/sbin/web -b"], "/usr/bin/mptcpize", "seccomp"],
    );
    assert.match(
      systemd.tree()[dropIn] ?? "",
      /^ExecStart=-\/usr\/bin\/mptcpize run -- \/usr\/sbin\/web -b$/m,
    );
  });

  it("does not ask what a path with a specifier stands for while systemd shows its own line", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.ways["/usr/sbin/web"] = "seccomp";
    systemd.put("lib/web.service", plain);
    await enableIn(systemd);
    systemd.put("lib/web.service", "[Service]\nExecStart=/usr/sbin/%p\n");
    await assert.rejects(enableIn(systemd), refusal("/usr/sbin/%p", "disable it first"));
  });

  it("writes to /run for --runtime, unless /etc hides that", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", plain);
    const { files } = await enableIn(systemd, "web", { runtime: true });
    assert.deepEqual(
      files.map(({ path }) => path),
      [join(systemd.root, "run/web.service.d/50-mptcpize.conf")],
    );
    await enableIn(systemd);
    assert.equal(systemd.tree()["run/web.service.d"], undefined, "the one for good takes its place");
    await assert.rejects(enableIn(systemd, "web", { runtime: true }), refusal(join(systemd.root, dropIn)));
    systemd.put("lib/web@.service", plain);
    await enableIn(systemd, "web@");
    await assert.rejects(
      enableIn(systemd, "web@a", { runtime: true }),
      refusal("web@a.service is enabled for good already", "mptcpize disable web@.service"),
    );
  });

  it("changes nothing for --dry-run", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", plain);
    const before = systemd.tree();
    const { files } = await enableIn(systemd, "web", { dryRun: true });
    assert.match(files[0]?.text ?? "", /^Environment=LD_PRELOAD=/m);
    assert.deepEqual([systemd.tree(), systemd.commands], [before, []]);
  });

  it("shows for --repair --dry-run what will be there when the C mptcpize's line is gone", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put(
      "lib/web.service",
      `${plain}Environment=LD_PRELOAD=/usr/lib/mptcpize/libmptcpwrap.so.0.0.1\n`,
    );
    const advised = await enableIn(systemd, "web", { dryRun: true });
    assert.equal(advised.plan.notes.length, 1);
    const repaired = await enableIn(systemd, "web", { dryRun: true, repair: true });
    assert.deepEqual(repaired.plan.notes, []);
    systemd.put("lib/web.service", plain);
    assert.deepEqual(repaired.files, (await enableIn(systemd, "web", { dryRun: true })).files);
  });

  it("takes everything back when systemd makes something else of it", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", plain);
    const before = systemd.tree();
    systemd.shown["web.service"] = { Environment: "LD_PRELOAD=/other.so" };
    await assert.rejects(enableIn(systemd), refusal("LD_PRELOAD", join(systemd.root, dropIn)));
    const { etc, ...after } = systemd.tree();
    assert.ok(etc);
    assert.deepEqual(after, before);
    assert.deepEqual(systemd.commands, ["daemon-reload", "daemon-reload", "daemon-reload"]);
  });

  it("goes back to the drop-in before when it cannot renew it", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", plain);
    await enableIn(systemd);
    const before = systemd.tree();
    systemd.put("lib/web.service", `${plain}Environment=LD_PRELOAD=/own.so\n`);
    systemd.shown["web.service"] = { Environment: "LD_PRELOAD=/other.so" };
    await assert.rejects(enableIn(systemd), refusal("LD_PRELOAD"));
    assert.equal(systemd.tree()[dropIn], before[dropIn]);
  });

  it("tells the reason, and has systemd read the files again, when it cannot take everything back", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", plain);
    systemd.failing = "daemon-reload";
    await assert.rejects(enableIn(systemd), /daemon-reload fails/);
    systemd.failing = undefined;
    await enableIn(systemd);
    systemd.put("lib/web.service", `${plain}Environment=LD_PRELOAD=/own.so\n`);
    // The drop-in before cannot come back: its directory is gone when systemd has read the new one.
    systemd.afterReload = () => {
      if (systemd.commands.length > 3) rmSync(join(systemd.root, "etc"), { recursive: true, force: true });
    };
    await assert.rejects(
      enableIn(systemd),
      refusal("systemd does not read that file", "taking it back has failed"),
    );
    assert.equal(systemd.commands.length, 5);
  });

  it("does not touch a file of that name that is not its own, nor one that was edited", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", plain);
    const path = systemd.put(dropIn, "[Service]\nNice=1\n");
    await assert.rejects(enableIn(systemd, "web", { force: true }), refusal(path, "not written by mptcpize"));
    rmSync(path);
    await enableIn(systemd);
    systemd.put(dropIn, `${readDropIn(path)?.text}Nice=1\n`);
    await assert.rejects(enableIn(systemd), refusal(path, "--force"));
    await enableIn(systemd, "web", { force: true });
    assert.equal(readDropIn(path)?.edited, false);
  });

  it("says where it cannot write, and leaves nothing behind", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", plain);
    systemd.put("etc/web.service.d", "a file, no directory");
    const before = systemd.tree();
    for (const dryRun of [true, false])
      await assert.rejects(
        enableIn(systemd, "web", { dryRun }),
        refusal("etc/web.service.d cannot be written", "--runtime"),
      );
    assert.deepEqual(systemd.tree(), before);
  });

  it("says also for --dry-run that it cannot write where a link leads nowhere", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", plain);
    systemd.link("etc", "/nonexistent/target");
    for (const dryRun of [true, false])
      await assert.rejects(
        enableIn(systemd, "web", { dryRun }),
        refusal("etc/web.service.d cannot be written"),
      );
  });

  it("does not write through a symbolic link into the drop-ins of others", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", plain);
    systemd.put("shared/10.conf", "");
    systemd.link("etc/web.service.d", "../shared");
    for (const dryRun of [true, false])
      await assert.rejects(
        enableIn(systemd, "web", { dryRun }),
        refusal("etc/web.service.d is a symbolic link"),
      );
  });

  it("refuses, and names, what cannot be read in the drop-in's place", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", plain);
    const path = systemd.put(`${dropIn}/a`, "");
    for (const command of [enableIn, disableIn])
      await assert.rejects(command(systemd), refusal(join(systemd.root, dropIn), "cannot be read", "EISDIR"));
    rmSync(dirname(path), { recursive: true });
    systemd.link(dropIn, "50-mptcpize.conf");
    for (const command of [enableIn, disableIn])
      await assert.rejects(command(systemd), refusal(join(systemd.root, dropIn), "cannot be read", "ELOOP"));
  });

  it("has a service attach the BPF program at its start, if the kernel takes it", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", plain);
    const before = systemd.tree();
    systemd.refusesBpf = true;
    await assert.rejects(enableIn(systemd, "web", { how: "bpf" }), /no BTF/);
    assert.deepEqual(systemd.tree(), before);
    systemd.refusesBpf = false;
    await enableIn(systemd, "web", { how: "bpf" });
    assert.match(
      systemd.tree()[dropIn] ?? "",
      /^ExecStartPre=-\+\/usr\/bin\/node \/opt\/mptcpize\.js attach$/m,
    );
    await disableIn(systemd);
    assert.deepEqual(systemd.commands.slice(-2), ["daemon-reload", "forget web.service"]);
  });
});

describe("units that enable is given", () => {
  it("are followed from an alias to the real unit", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/ssh.service", plain);
    systemd.link("etc/sshd.service", "../lib/ssh.service");
    assert.equal((await enableIn(systemd, "sshd")).unit.name, "ssh.service");
    assert.ok(systemd.tree()["etc/ssh.service.d/50-mptcpize.conf"]);
    assert.equal((await disableIn(systemd, "sshd")).removed.length, 1);
  });

  it("may be templates, and single instances of them", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web@.service", "[Service]\nExecStart=/usr/sbin/web %i\n");
    assert.equal((await enableIn(systemd, "web@a.service")).unit.name, "web@a.service");
    assert.equal((await enableIn(systemd, "web@")).unit.name, "web@.service");
    assert.deepEqual(
      Object.keys(systemd.tree()).filter((path) => path.endsWith(".conf")),
      ["etc/web@.service.d/50-mptcpize.conf", "etc/web@a.service.d/50-mptcpize.conf"],
    );
    assert.equal((await disableIn(systemd, "web@a")).stillEnabledBy, "web@.service");
    assert.deepEqual((await disableIn(systemd, "web@b")).removed, []);
  });

  it("may be named by the file that systemd has loaded, and by no other", async (t) => {
    const systemd = new FakeSystemd(t);
    const path = systemd.put("lib/web.service", plain);
    const other = systemd.put("elsewhere/web.service", plain);
    assert.equal((await enableIn(systemd, path)).unit.name, "web.service");
    await assert.rejects(enableIn(systemd, other), refusal(other, "give the unit's name"));
  });

  it("are refused with the reason when they are masked, missing, broken, transient or of another type", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.link("etc/masked.service", "/dev/null");
    for (const name of ["broken.service", "transient.service", "a.timer"]) systemd.put(`lib/${name}`, plain);
    systemd.put("lib/nothing.service", "[Service]\nExecStop=/bin/true\n");
    systemd.shown["broken.service"] = { LoadState: "bad-setting" };
    systemd.shown["transient.service"] = { Transient: "yes" };
    const before = systemd.tree();
    await assert.rejects(
      enableIn(systemd, "masked"),
      refusal("masked.service is masked", "systemctl unmask"),
    );
    await assert.rejects(
      enableIn(systemd, "broken"),
      refusal("bad-setting", "systemd-analyze verify broken.service"),
    );
    await assert.rejects(enableIn(systemd, "transient"), refusal("is transient"));
    await assert.rejects(enableIn(systemd, "a.timer"), refusal("a.timer is a timer unit"));
    systemd.put("etc/broken.service.d/50-mptcpize.conf", "[X-Mptcpize]\nWay=seccomp\n");
    await assert.rejects(enableIn(systemd, "broken"), refusal("bad-setting", "disable broken.service first"));
    rmSync(join(systemd.root, "etc/broken.service.d"), { recursive: true });
    for (const command of [enableIn, disableIn])
      await assert.rejects(
        command(systemd, "missing"),
        (error) =>
          error instanceof UnknownUnitError && error.message === "can't find unit file for service missing",
      );
    assert.deepEqual([systemd.tree(), systemd.commands], [before, []]);
    await assert.rejects(enableIn(systemd, "nothing"), refusal("nothing.service has no ExecStart="));
    assert.deepEqual(systemd.tree(), before);
  });

  it("are never interpreted", async (t) => {
    const systemd = new FakeSystemd(t);
    for (const name of ["x; touch y", "$(touch x)", "a b", "", "a\nb", "*"])
      for (const command of [enableIn, disableIn])
        await assert.rejects(command(systemd, name), UnitNameError, JSON.stringify(name));
    assert.deepEqual(systemd.commands, []);
  });

  it("may be sockets, by systemd's own setting", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.version = 257;
    systemd.put("lib/web.socket", "[Socket]\nListenStream=80\n");
    systemd.shown["web.socket"] = { Listen: "[::]:80 (Stream)", Triggers: "web.service" };
    await enableIn(systemd, "web.socket");
    assert.match(
      systemd.tree()["etc/web.socket.d/50-mptcpize.conf"] ?? "",
      /\n\[Socket\]\nSocketProtocol=mptcp\n$/,
    );
    await assert.rejects(enableIn(systemd, "web.socket", { how: "preload" }), refusal("--how=preload"));
  });
});

describe("disable", () => {
  it("leaves the tree as it was before enable", async (t) => {
    const systemd = new FakeSystemd(t);
    const own = systemd.put("default", "GODEBUG=a=1\n");
    systemd.put("lib/web.service", `${plain}EnvironmentFile=${own}\n`);
    systemd.put("etc/other", "");
    systemd.put("run/other", "");
    const before = systemd.tree();
    await enableIn(systemd, "web", { runtime: true });
    await enableIn(systemd);
    const { removed } = await disableIn(systemd);
    assert.equal(removed.length, 1);
    assert.deepEqual(systemd.tree(), before);
    assert.equal(systemd.commands.at(-1), "daemon-reload");
  });

  it("keeps a directory that was there before, and one that others use by now", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", plain);
    const path = systemd.put("etc/web.service.d/10-own.conf", "[Service]\nNice=1\n");
    await enableIn(systemd);
    rmSync(path);
    await disableIn(systemd);
    assert.ok(systemd.tree()["etc/web.service.d"]);
    rmSync(join(systemd.root, "etc/web.service.d"), { recursive: true });
    await enableIn(systemd);
    systemd.put("etc/web.service.d/10-own.conf", "[Service]\nNice=1\n");
    await disableIn(systemd);
    assert.ok(systemd.tree()["etc/web.service.d/10-own.conf"]);
  });

  it("touches nothing of a unit that is not enabled", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", plain);
    systemd.put(dropIn, "[Service]\nNice=1\n");
    const before = systemd.tree();
    assert.deepEqual((await disableIn(systemd)).removed, []);
    assert.deepEqual([systemd.tree(), systemd.commands], [before, []]);
  });

  it("has systemd forget a drop-in whose file is gone: a run was killed in between", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", plain);
    systemd.shown["web.service"] = { DropInPaths: join(systemd.root, dropIn) };
    await disableIn(systemd, "web", { dryRun: true });
    assert.deepEqual(systemd.commands, []);
    const { removed, forgotten } = await disableIn(systemd);
    assert.deepEqual([removed, forgotten], [[], [join(systemd.root, dropIn)]]);
    assert.deepEqual(systemd.commands, ["daemon-reload", "forget web.service"]);
  });

  it("does not call a link that leads nowhere gone: it is somebody's, and stays", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", plain);
    systemd.link(dropIn, "/nonexistent/target");
    systemd.shown["web.service"] = { DropInPaths: join(systemd.root, dropIn) };
    const before = systemd.tree();
    const { removed, forgotten } = await disableIn(systemd);
    assert.deepEqual([removed, forgotten], [[], []]);
    assert.deepEqual([systemd.tree(), systemd.commands], [before, []]);
    await assert.rejects(enableIn(systemd), refusal(dropIn, "not written by mptcpize"));
  });

  it("takes an environment file away also when it is a link that leads nowhere", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", plain);
    systemd.link(environmentFile, "/nonexistent/target");
    assert.deepEqual((await disableIn(systemd)).removed, [join(systemd.root, environmentFile)]);
    assert.equal(systemd.tree()[environmentFile], undefined);
    systemd.link(environmentFile, "/nonexistent/target");
    await enableIn(systemd);
    assert.equal(systemd.tree()[environmentFile], undefined);
  });

  it("does not throw away what somebody has added, unless told to", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", plain);
    await enableIn(systemd);
    const path = join(systemd.root, dropIn);
    systemd.put(dropIn, `${readDropIn(path)?.text}Nice=1\n`);
    const before = systemd.tree();
    await assert.rejects(disableIn(systemd), refusal(path, "--force"));
    assert.deepEqual(systemd.tree(), before);
    await disableIn(systemd, "web", { force: true });
    assert.equal(systemd.tree()[dropIn], undefined);
  });

  it("works for a unit that is gone, and for one that is masked by now", async (t) => {
    const systemd = new FakeSystemd(t);
    const path = systemd.put("lib/web.service", plain);
    await enableIn(systemd);
    rmSync(path);
    assert.equal((await disableIn(systemd)).removed.length, 1);
  });

  it("only says what it would remove for --dry-run", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", plain);
    await enableIn(systemd);
    const before = systemd.tree();
    assert.deepEqual((await disableIn(systemd, "web", { dryRun: true })).removed, [
      join(systemd.root, dropIn),
    ]);
    assert.deepEqual(systemd.tree(), before);
  });
});
