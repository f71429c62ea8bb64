import assert from "node:assert/strict";
import { appendFileSync, copyFileSync, existsSync } from "node:fs";
import { dirname } from "node:path";
import { after, before, describe, it } from "node:test";
import { eventually } from "../../src/lab/kit/wait.ts";
import { newerSystem, newerSystemProblem } from "../lab/downloads.ts";
import type { SystemdLab } from "../lab/systemd.ts";
import { aptGet, bootForPackages, install, ours, skip } from "./debian-packages.ts";
import {
  configFile,
  endpointAddresses,
  endpoints,
  mainPid,
  property,
  reloadAsBackups,
  unit,
  waitForRestart,
} from "./service.ts";
import { protocolAt, text, write } from "./units.ts";

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

      await lab.run(...aptGet("remove", "mptcpd"));
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
      await lab.run(...aptGet("purge", "mptcpd"));
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
});

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
