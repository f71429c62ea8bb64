import assert from "node:assert/strict";
import { copyFileSync, existsSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { downloadedPackage } from "../lab/downloads.ts";
import type { SystemdLab } from "../lab/systemd.ts";
import { aptGet, bootForPackages, install, ours, skip, upstream } from "./debian-packages.ts";
import { configFile, configure, endpoints, logged, mainPid, property, unit } from "./service.ts";
import { protocolAt, text } from "./units.ts";

describe("the package of Debian", { skip }, () => {
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
      await lab.run(...aptGet("purge", "mptcpd"));
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
