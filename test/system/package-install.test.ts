import assert from "node:assert/strict";
import { appendFileSync, copyFileSync, existsSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { after, before, describe, it } from "node:test";
import { eventually, waitFor } from "../../src/lab/kit/wait.ts";
import { downloadedPackage, newerSystem, newerSystemProblem, packageProblem } from "../lab/downloads.ts";
import { debArchitecture, debFile, packagesProblem } from "../lab/packages.ts";
import { SystemdLab, systemdProblem } from "../lab/systemd.ts";
import {
  addUplink,
  configFile,
  configure,
  endpointAddresses,
  endpoints,
  logged,
  mainPid,
  property,
  reloadAsBackups,
  unit,
  waitForRestart,
} from "./service.ts";
import { protocolAt, text, write } from "./units.ts";

/** The C programs, of Debian. */
const upstream = ["libell0", "libmptcpd3", "mptcpd", "mptcpd-plugins", "mptcpize", "libmptcpwrap0"];
const ours = debFile(debArchitecture);

const apt = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "-o", "Dpkg::Use-Pty=0"];
const skip =
  packagesProblem() ||
  (await systemdProblem(["apt-get", "dpkg", "nginx"])) ||
  upstream.map(packageProblem).find(Boolean) ||
  false;

describe("the package of Debian", { skip }, () => {
  describe("on a system without any", () => {
    let lab: SystemdLab;
    let asFound: ReadonlySet<string>;
    before(async () => {
      lab = await bootForPackages();
      asFound = await everything(lab);
    });
    after(() => lab.close());

    it("runs mptcpd as soon as apt has installed it, and enables it for the next boot", async () => {
      await install(lab, ours);
      assert.equal(await lab.run("systemctl", "is-enabled", unit), "enabled\n");
      assert.equal(await property(lab, "ActiveState"), "active");
      assert.match(await lab.run("systemctl", "status", unit), /Active: active \(running\)/);
      assert.deepEqual(await endpointAddresses(lab), ["10.1.0.1", "10.2.0.1"]);
      const run = await lab.run("readlink", `/proc/${await mainPid(lab)}/exe`);
      assert.equal(run, "/usr/lib/mptcpd/node\n", "its own Node");
    });

    it("runs the examples of mptcpd(8) as they are written", async () => {
      const checked = await lab.run("sh", "-c", `mptcpd --config=${configFile} --check 2>&1`);
      assert.equal(checked, "the configuration is valid\n");
      assert.match(await lab.run("mptcpd", "--plan"), /^limits: subflows \d/m);
    });

    it("has a service that reloads, restarts, and comes back, with its endpoints", async () => {
      await reloadAsBackups(lab);
      const kept = await endpoints(lab);
      await lab.run("systemctl", "restart", unit);
      assert.deepEqual(await endpoints(lab), kept);
      const pid = await mainPid(lab);
      await lab.run("kill", "-KILL", pid);
      await waitForRestart(lab, pid);
      await lab.run("systemctl", "stop", unit);
      assert.deepEqual(await endpoints(lab), kept);
      await lab.run("systemctl", "start", unit);
    });

    it("has a mptcpctl that explains, and a mptcpize that enables", async () => {
      assert.match(await lab.run("mptcpctl", "explain"), /^10\.1\.0\.1 .* endpoint +usable$/m);
      await lab.run("mptcpize", "enable", "--now", "nginx");
      await lab.run("systemctl", "start", "nginx");
      assert.equal(await protocolAt(lab, 80), "MPTCP");
    });

    it("keeps a changed configuration when it is installed again, and restarts mptcpd", async () => {
      const pid = await mainPid(lab);
      const [kept, config] = [await endpoints(lab), text(lab, configFile)];
      await install(lab, ours, "--reinstall", "-o", "Dpkg::Options::=--force-confold");
      assert.equal(text(lab, configFile), config);
      assert.deepEqual(await endpoints(lab), kept);
      assert.notEqual(await mainPid(lab), pid);
      assert.equal(await property(lab, "ActiveState"), "active");
    });

    it("stays stopped and disabled over an upgrade, if an administrator wants it so", async () => {
      await lab.run("systemctl", "disable", "--now", unit);
      await install(lab, ours, "--reinstall", "-o", "Dpkg::Options::=--force-confold");
      assert.equal((await lab.outcome("systemctl", "is-enabled", unit)).stdout, "disabled\n");
      await lab.run("systemctl", "enable", "--now", unit);
    });

    it("stops mptcpd and gives services back their TCP when it is removed; the configuration stays", async () => {
      const edited = "/etc/systemd/system/edited.service.d/50-mptcpize.conf";
      await write(lab, {
        "/etc/systemd/system/edited.service": "[Service]\nExecStart=/bin/sleep infinity\n",
        "/etc/systemd/system/-dash.service": "[Service]\nExecStart=/bin/sleep infinity\n",
      });
      await lab.run("mptcpize", "enable", "--how=seccomp", "--", "edited", "-dash");
      appendFileSync(lab.path(edited), "# mine\n");

      await lab.run(...command("remove", "mptcpd"));
      assert.equal(existsSync(lab.path("/etc/systemd/system/-dash.service.d")), false);
      await lab.run("systemctl", "start", "edited");
      assert.match(text(lab, `${edited}.saved`), /# mine/, "what somebody has edited is kept");
      await lab.run("systemctl", "stop", "edited");
      await lab.run(
        "rm",
        "-r",
        dirname(edited),
        "/etc/systemd/system/edited.service",
        "--",
        "/etc/systemd/system/-dash.service",
      );
      await lab.run("systemctl", "daemon-reload");
      assert.equal((await lab.outcome("systemctl", "is-active", unit)).stdout, "inactive\n");
      assert.match(text(lab, configFile), /backup/);
      assert.equal((await endpoints(lab)).length, 2, "endpoints last");
      await lab.run("systemctl", "restart", "nginx");
      assert.equal(await protocolAt(lab, 80), "TCP");
      await lab.run("systemctl", "stop", "nginx");
    });

    it("leaves nothing behind when it is purged: no file, user, unit or directory of the run", async () => {
      await lab.run(...command("purge", "mptcpd"));
      await eventually("all to be as before", async () => {
        const now = await everything(lab);
        assert.deepEqual(
          {
            more: [...now].filter((one) => !asFound.has(one)),
            less: [...asFound].filter((one) => !now.has(one)),
          },
          { more: [], less: [] },
        );
      });
    });
  });

  describe("on a newer system, of which little is installed", { skip: newerSystemProblem }, () => {
    let lab: SystemdLab;
    before(async () => {
      lab = await bootForPackages(newerSystem);
    });
    after(() => lab.close());

    it("runs mptcpd, which reloads, restarts, and is in its sandbox", async () => {
      copyFileSync(ours, lab.path("/root/ours.deb"));
      await lab.run("dpkg", "--install", "/root/ours.deb");
      assert.deepEqual(await endpointAddresses(lab), ["10.1.0.1", "10.2.0.1"]);
      const pid = await mainPid(lab);
      await reloadAsBackups(lab);
      assert.equal(await mainPid(lab), pid);
      await lab.run("systemctl", "restart", unit);
      assert.equal((await endpoints(lab)).length, 2);
      const status = await lab.run("cat", `/proc/${await mainPid(lab)}/status`);
      assert.match(status, /^CapEff:\s0000000000001000$/m);
      await lab.run("dpkg", "--purge", "mptcpd");
    });
  });

  describe("on a system with Debian's mptcpd and mptcpize", () => {
    let lab: SystemdLab;
    before(async () => {
      lab = await bootForPackages();
      await install(lab, ...upstream.map(downloadedPackage));
      const config = text(lab, configFile)
        .replace(/^.*addr-flags=.*$/m, "addr-flags=subflow,fullmesh")
        .replace(/^.*notify-flags=.*$/m, "notify-flags=existing,skip_link_local,skip_loopback");
      await configure(lab, config);
      await lab.run("systemctl", "restart", unit);
      await lab.run("mptcpize", "enable", "nginx");
      await lab.run("systemctl", "start", "nginx");
      await waitFor("the C mptcpd to have made endpoints", () => endpoints(lab), {
        until: ({ length }) => length === 2,
      });
    });
    after(() => lab.close());

    it("takes their place, with the configuration, the endpoints and the enabled services that it finds", async () => {
      const found = await endpoints(lab);
      const config = text(lab, configFile);
      assert.equal(await protocolAt(lab, 80), "MPTCP");
      await install(lab, ours, "-o", "Dpkg::Options::=--force-confold");

      assert.equal(text(lab, configFile), config);
      assert.equal(await lab.run("systemctl", "is-enabled", unit), "enabled\n");
      assert.equal(await property(lab, "ActiveState"), "active");
      assert.match(
        await lab.run("readlink", `/proc/${await mainPid(lab)}/exe`),
        /^\/usr\/lib\/mptcpd\/node$/m,
      );
      assert.deepEqual(await endpoints(lab), found);
      const owners: { owner?: string; outcome: string }[] = JSON.parse(
        await lab.run("mptcpctl", "-j", "explain"),
      );
      assert.equal(owners.filter(({ owner }) => owner === "mptcpd").length, 2, "they are adopted");
      await lab.run("systemctl", "restart", "nginx");
      assert.equal(await protocolAt(lab, 80), "MPTCP");
      assert.doesNotMatch(await lab.run("journalctl", "-u", "nginx"), /cannot be preloaded/);
    });

    it("leaves of them only libraries that nobody needs any more", async () => {
      const known = await lab.run("dpkg-query", "--list", ...upstream);
      const left = upstream.filter((name) => new RegExp(`^ii +${name}[: ]`, "m").test(known));
      assert.deepEqual(left, ["libell0", "libmptcpd3", "mptcpd"]);
      assert.match(await lab.run("dpkg-query", "--show", "mptcpd"), /\t1\.0\.0/);
    });

    it("can be removed, and nginx goes on", async () => {
      await lab.run(...command("purge", "mptcpd"));
      await lab.run("systemctl", "restart", "nginx");
      assert.equal(await protocolAt(lab, 80), "TCP");
    });
  });

  describe("installed over Debian's mptcpd, at the second attempt,", () => {
    it("adopts endpoints if that ran; the ones without flags are made anew, and the log says so", async (t) => {
      const lab = await bootWithUpstream("running");
      t.after(() => lab.close());
      await installInTwoAttempts(lab);
      await waitFor("10.1.0.1 to be mptcpd's", () => ownerOf(lab, "10.1.0.1"), {
        until: (owner) => owner === "mptcpd",
      });
      await waitFor("its endpoint to have the flag", () => endpoints(lab), {
        until: (lines) => lines.some((line) => line.startsWith("10.1.0.1 id 9 subflow dev up1")),
      });
      await logged(lab, /deleted, flags none become subflow; this breaks its subflows/);
    });

    it("leaves all endpoints whose they are if that did not run", async (t) => {
      const lab = await bootWithUpstream("stopped");
      t.after(() => lab.close());
      await installInTwoAttempts(lab);
      assert.notEqual(await ownerOf(lab, "10.1.0.1"), "mptcpd");
      assert.ok((await endpoints(lab)).some((line) => /^10\.1\.0\.1 id 9 dev up1/.test(line)));
    });
  });
});

describe("Debian's mptcpd and mptcpize, installed over the package", { skip }, () => {
  it("find no unit that names files that have gone", async (t) => {
    const lab = await bootForPackages();
    t.after(() => lab.close());
    await install(lab, ours);
    await lab.run("mptcpize", "enable", "nginx");
    const dropIn = "/etc/systemd/system/nginx.service.d/50-mptcpize.conf";
    assert.ok(existsSync(lab.path(dropIn)));
    await install(lab, ours, "--reinstall");
    assert.ok(existsSync(lab.path(dropIn)), "upgrades to versions of ours keep it");

    await install(lab, "--allow-downgrades", ...upstream.map(downloadedPackage));
    assert.equal(existsSync(lab.path(dropIn)), false);
    await lab.run("systemctl", "start", "nginx");
    assert.equal(await protocolAt(lab, 80), "TCP");
  });
});

/** Debian's mptcpd with the file that it comes with, which sets no flags, and an endpoint of a kind that it makes. */
async function bootWithUpstream(state: "running" | "stopped"): Promise<SystemdLab> {
  const lab = await bootForPackages();
  await install(lab, "--no-install-recommends", ...upstream.slice(0, 4).map(downloadedPackage));
  if (state === "stopped") await lab.run("systemctl", "stop", unit);
  await lab.run("ip", "mptcp", "endpoint", "flush");
  await lab.run("ip", "mptcp", "endpoint", "add", "10.1.0.1", "id", "9", "dev", "up1");
  return lab;
}

/** With a postinst that fails when it has restarted the service, and is run again. */
async function installInTwoAttempts(lab: SystemdLab): Promise<void> {
  copyFileSync(ours, lab.path("/root/ours.deb"));
  await lab.run("dpkg", "--unpack", "--force-confold", "/root/ours.deb");
  const postinst = "/var/lib/dpkg/info/mptcpd.postinst";
  const whole = text(lab, postinst);
  const failing = whole.replace(/^# Debian's mptcpd, in C,/m, "exit 1\n$&");
  assert.notEqual(failing, whole);
  writeFileSync(lab.path(postinst), failing);
  assert.notEqual((await lab.outcome("dpkg", "--configure", "--force-confold", "mptcpd")).code, 0);
  assert.equal(await property(lab, "ActiveState"), "active");
  writeFileSync(lab.path(postinst), whole);
  await lab.run("dpkg", "--configure", "mptcpd");
  assert.equal(existsSync(lab.path("/run/mptcpd.adopt")), false);
}

async function ownerOf(lab: SystemdLab, wanted: string): Promise<string | undefined> {
  const rows: { address: string; owner?: string }[] = JSON.parse(await lab.run("mptcpctl", "-j", "explain"));
  return rows.find(({ address }) => address === wanted)?.owner;
}

async function bootForPackages(lower?: string): Promise<SystemdLab> {
  const lab = await SystemdLab.boot(undefined, lower === undefined ? {} : { lower });
  // Images of containers have it: no package may start its services there.
  await lab.run("rm", "--force", "/usr/sbin/policy-rc.d");
  await addUplink(lab, "up1", "10.1.0.1/24");
  await addUplink(lab, "up2", "10.2.0.1/24");
  return lab;
}

function command(...args: readonly string[]): [string, ...string[]] {
  return ["env", "DEBIAN_FRONTEND=noninteractive", ...apt, "--yes", ...args];
}

async function install(lab: SystemdLab, ...args: readonly string[]): Promise<void> {
  const files = args.filter((name) => name.endsWith(".deb"));
  const inside = files.map((file) => `/root/${basename(file)}`);
  for (const [index, file] of files.entries()) copyFileSync(file, lab.path(inside[index] ?? ""));
  await lab.run(...command("install", ...args.filter((arg) => !files.includes(arg)), ...inside));
}

/** Files, users and units, without what other programs change by themselves. */
async function everything(lab: SystemdLab): Promise<ReadonlySet<string>> {
  const others = [
    "/var/lib/dpkg",
    "/var/lib/apt",
    "/var/lib/nginx",
    "/var/log",
    "/var/cache",
    "/run/systemd",
  ];
  const prune = others.flatMap((path) => ["-path", path, "-o"]).slice(0, -1);
  const where = ["/etc", "/usr", "/var", "/run", "/opt", "/srv"];
  const outputs = await Promise.all([
    lab.run("find", ...where, "-xdev", "(", ...prune, ")", "-prune", "-o", "-print"),
    lab.run("systemctl", "list-unit-files", "--no-pager", "--no-legend"),
    lab.run("getent", "passwd"),
    lab.run("getent", "group"),
  ]);
  // systemd makes the last one for the first service with a directory of its own, and keeps it.
  const byOthers = /PackageKit|systemd-logind|^\/var\/lib\/systemd\/linger|^\/run\/private$/;
  return new Set(outputs.flatMap((output) => output.split("\n").filter((line) => !byOthers.test(line))));
}
