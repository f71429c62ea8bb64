import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename } from "node:path";
import { after, before, describe, it } from "node:test";
import { eventually, waitFor } from "../../src/lab/kit/wait.ts";
import { packagesProblem, rpmArchitecture, rpmFile, version } from "../lab/packages.ts";
import { SystemdLab, systemdProblem } from "../lab/systemd.ts";
import { write } from "./units.ts";

const problem = packagesProblem() || (await systemdProblem(["rpm", "rpmbuild"]));
const config = "/etc/mptcpd/mptcpd.conf";

/** Fedora enables no service by itself. */
const preset = { "/etc/systemd/system-preset/99-default-disable.preset": "disable *\n" };

/** What Fedora's package of the C mptcpd is made of, as far as packages meet: paths, scripts, a daemon that stays. */
const upstream = `
Name: mptcpd
Version: 0.12
Release: 4
Summary: The C mptcpd, in outline
License: BSD
%global debug_package %{nil}
%description
%{summary}
%package devel
Summary: Its headers
Requires: mptcpd = %{version}-%{release}
%description devel
%{summary}
%install
mkdir -p %{buildroot}/etc/mptcpd %{buildroot}/usr/libexec %{buildroot}/usr/lib/systemd/system %{buildroot}/usr/include
echo '[core]' > %{buildroot}${config}
echo 'log=stderr' >> %{buildroot}${config}
printf '#!/bin/sh\\nexec sleep infinity\\n' > %{buildroot}/usr/libexec/mptcpd
chmod 755 %{buildroot}/usr/libexec/mptcpd
printf '[Service]\\nExecStart=/usr/libexec/mptcpd\\n[Install]\\nWantedBy=multi-user.target\\n' > %{buildroot}/usr/lib/systemd/system/mptcp.service
touch %{buildroot}/usr/include/mptcpd.h
%post
[ $1 -ne 1 ] || systemctl --no-reload preset mptcp.service || :
%preun
[ $1 -ne 0 ] || systemctl --no-reload disable --now mptcp.service || :
%postun
systemctl daemon-reload || :
%files
%config(noreplace) ${config}
/usr/libexec/mptcpd
/usr/lib/systemd/system/mptcp.service
%files devel
/usr/include/mptcpd.h
`;

describe("the .rpm", { skip: problem }, () => {
  let lab: SystemdLab;
  let here: string[];
  before(async () => {
    lab = await SystemdLab.boot();
    await write(lab, preset);
    here = await filesOfOurs();
    await lab.run("ip", "link", "add", "up1", "type", "veth", "peer", "name", "peer1");
    await lab.run("ip", "link", "set", "peer1", "up");
    await lab.run("ip", "address", "add", "10.1.0.1/24", "dev", "up1");
    await lab.run("ip", "link", "set", "up1", "up");
    for (const file of [rpmFile(rpmArchitecture), rpmFile(rpmArchitecture, "nodejs")])
      copyFileSync(file, lab.path(copyOf(file)));
    // Where distributions have it; the lab has this machine's elsewhere.
    if (!existsSync(lab.path("/usr/bin/node"))) symlinkSync("/usr/local/bin/node", lab.path("/usr/bin/node"));
  });
  after(() => lab.close());

  const copyOf = (file: string) => `/root/${basename(file)}`;
  /** This machine's libraries are none of rpm's. */
  const rpm = (...args: string[]) => lab.run("rpm", "--force-debian", ...args);
  const put = (how: string, file: string) => rpm("--nodeps", how, file);
  const state = async (what: string) => (await lab.outcome("systemctl", what, "mptcp.service")).stdout.trim();
  const pid = async () =>
    (await lab.run("systemctl", "show", "--property=MainPID", "--value", "mptcp.service")).trim();
  const endpoints = () => lab.run("ip", "mptcp", "endpoint");
  const isThere = (path: string) => existsSync(lab.path(path));
  const becomesEndpoint = () =>
    waitFor("the address to be an endpoint", endpoints, {
      until: (text) => /10\.1\.0\.1 .*subflow/.test(text),
    });

  it("is installed with a service that is neither enabled nor started, and that starts", async () => {
    await put("-i", copyOf(rpmFile(rpmArchitecture)));
    assert.equal(await state("is-enabled"), "disabled");
    assert.equal(await state("is-active"), "inactive");
    await lab.run("systemctl", "enable", "--now", "mptcp.service");
    await becomesEndpoint();
    assert.equal(await lab.run("mptcpctl", "--version"), `${version}\n`);
    assert.equal(await lab.run("mptcpd", "--version"), `mptcpd ${version}\n`);
  });

  it("is whole, for rpm itself", async () => {
    assert.equal(await rpm("--verify", "--nodeps", "mptcpd"), "");
  });

  it("restarts the service when it is upgraded, and keeps a changed configuration", async () => {
    const changed = `${readFileSync(lab.path(config), "utf8")}# mine\n`;
    writeFileSync(lab.path(config), changed);
    const before = await pid();
    await put("-U", copyOf(rpmFile(rpmArchitecture, "nodejs")));
    assert.notEqual(await pid(), before);
    assert.equal(await state("is-active"), "active");
    assert.equal(await state("is-enabled"), "enabled");
    assert.equal(readFileSync(lab.path(config), "utf8"), changed);
    const node = readlinkSync(lab.path("/usr/lib/mptcpd/node"));
    assert.equal(node, "../../bin/node", "the Node of this flavour is the distribution's");
  });

  it("leaves nothing behind when it is erased but a changed configuration and the endpoints", async () => {
    await write(lab, { "/etc/systemd/system/probe.service": "[Service]\nExecStart=/bin/sleep infinity\n" });
    await lab.run("mptcpize", "enable", "probe");
    await rpm("-e", "mptcpd");
    assert.equal(await state("is-active"), "inactive");
    assert.match(await endpoints(), /10\.1\.0\.1 /);
    // systemd forgets a unit whose file has gone when it comes to it.
    await eventually("all else to be as before", async () => {
      const left = (await filesOfOurs()).filter((path) => !here.includes(path));
      assert.deepEqual(left, ["/etc/mptcpd", `${config}.rpmsave`]);
    });
  });

  it("takes the place of the C mptcpd: the service stays enabled and runs, the configuration is kept, endpoints are adopted", async () => {
    await lab.run("rm", "-r", "/etc/mptcpd");
    await lab.run("ip", "mptcp", "endpoint", "flush");
    await buildUpstream();
    for (const name of ["mptcpd", "mptcpd-devel"]) await put("-i", upstreamFile(name));
    writeFileSync(lab.path(config), "[core]\nlog=stderr\n[path mine]\nmatch-interface=up9\nignore=yes\n");
    await lab.run("systemctl", "enable", "--now", "mptcp.service");
    // As the C mptcpd makes them, and one that an administrator has made.
    await lab.run("ip", "mptcp", "endpoint", "add", "10.1.0.1", "id", "1", "dev", "up1");
    await lab.run("ip", "address", "add", "10.1.0.2/24", "dev", "up1");
    await lab.run("ip", "mptcp", "endpoint", "add", "10.1.0.2", "id", "2", "signal", "dev", "up1");

    await put("-U", copyOf(rpmFile(rpmArchitecture)));
    assert.equal(await state("is-enabled"), "enabled");
    assert.equal(await state("is-active"), "active");
    assert.match(readFileSync(lab.path(config), "utf8"), /match-interface=up9/);
    await becomesEndpoint();
    assert.match(await endpoints(), /^10\.1\.0\.2 id 2 signal dev up1/m);
    assert.equal(await rpm("-qa", "mptcpd*"), `mptcpd-${version}-1.${rpmArchitecture}\n`);
  });

  it("leaves endpoints whose they are if the C mptcpd did not run", async () => {
    await rpm("-e", "mptcpd");
    await lab.run("ip", "mptcp", "endpoint", "flush");
    await put("-i", upstreamFile("mptcpd"));
    await lab.run("ip", "mptcp", "endpoint", "add", "10.1.0.1", "id", "1", "dev", "up1");
    await put("-U", copyOf(rpmFile(rpmArchitecture)));
    assert.equal(await state("is-active"), "inactive");
    assert.match(
      await lab.run("mptcpctl", "explain"),
      /^10\.1\.0\.1 .*\(not made by mptcpd\) already covers it; .*$/m,
    );
    assert.match(await endpoints(), /^10\.1\.0\.1 id 1 dev up1/m);
  });

  it("takes MPTCP from units before the C mptcpd comes back, and not before another version of itself", async () => {
    await lab.run("mptcpize", "enable", "probe");
    const dropIn = "/etc/systemd/system/probe.service.d/50-mptcpize.conf";
    await put("-U", copyOf(rpmFile(rpmArchitecture, "nodejs")));
    assert.ok(isThere(dropIn));
    await rpm("--nodeps", "-U", "--oldpackage", upstreamFile("mptcpd"));
    assert.match(await rpm("-q", "mptcpd"), /^mptcpd-0\.12-4/);
    assert.equal(isThere(dropIn), false);
  });

  /** Where packages, services and programs leave things. */
  async function filesOfOurs(): Promise<string[]> {
    const places = ["/etc", "/run", "/usr", "/var/lib"];
    const { stdout } = await lab.outcome("find", ...places, "-xdev", "-iname", "*mptcp*");
    return stdout.trim().split("\n").sort();
  }

  const upstreamFile = (name: string) => `/root/build/RPMS/noarch/${name}-0.12-4.noarch.rpm`;

  async function buildUpstream(): Promise<void> {
    mkdirSync(lab.path("/root/build"));
    const spec = "/root/build/upstream.spec";
    writeFileSync(lab.path(spec), upstream);
    await lab.run("rpmbuild", "-bb", "--quiet", "--target=noarch", "--define", "_topdir /root/build", spec);
  }
});
