import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { describe, it } from "node:test";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { Page } from "../lab/document.ts";
import { downloadedPackage, packageProblem } from "../lab/downloads.ts";
import { packagesProblem } from "../lab/packages.ts";
import { Shown } from "../lab/shown.ts";
import { SystemdLab, systemdProblem } from "../lab/systemd.ts";
import { follow } from "./docs.ts";
import { downloaded } from "./installed.ts";
import { cable, wifi } from "./surroundings.ts";

const page = Page.read("docs/migrating.md");

/** The C mptcpd, of Debian. */
const upstream = ["libell0", "libmptcpd3", "mptcpd", "mptcpd-plugins"];

const problem =
  upstream.map(packageProblem).find((reason) => reason !== false) ||
  packagesProblem() ||
  (await systemdProblem(["apt-get", "dpkg"]));

describe("docs/migrating.md", { skip: problem }, () => {
  it("takes the place of Debian's mptcpd as written", async (t) => {
    const lab = await SystemdLab.boot(t);
    await lab.run("bash", "-ec", ["ip netns add elsewhere", ...cable, ...wifi].join("\n"));
    downloaded(lab);
    await installUpstream(lab);
    const sections = page.sections.filter(({ blocks }) => blocks.length > 0);
    assert.deepEqual(
      sections.map(({ title }) => title),
      ["From the C mptcpd"],
    );
    for (const section of sections) await follow(lab, page, section, new Shown());
  });
});

/** With the flags without which its endpoints do nothing, and for the addresses that are there. */
async function installUpstream(lab: SystemdLab): Promise<void> {
  const files = upstream.map((name) => `/root/${name}.deb`);
  for (const [index, name] of upstream.entries())
    copyFileSync(downloadedPackage(name), lab.path(files[index] ?? ""));
  await lab.run("dpkg", "--install", ...files);
  const settings = ["addr-flags=subflow", "notify-flags=existing,skip_link_local,skip_loopback"];
  await lab.run("sed", "-i", `s/^path-manager=.*/&\\n${settings.join("\\n")}/`, "/etc/mptcpd/mptcpd.conf");
  await lab.run("systemctl", "restart", "mptcp.service");
  await waitFor("its endpoints", () => lab.run("ip", "mptcp", "endpoint"), {
    until: (text) => text.trim().split("\n").length === 2,
  });
}
