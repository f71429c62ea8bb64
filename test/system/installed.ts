import { copyFileSync, rmSync } from "node:fs";
import { installMptcpd } from "../lab/installation.ts";
import { debArchitecture, debFile } from "../lab/packages.ts";
import type { SystemdLab } from "../lab/systemd.ts";

/** Puts this checkout where the packages put it, in the booted system. */
export async function installed(lab: SystemdLab): Promise<void> {
  await installMptcpd(lab);
  await lab.run("ln", "-s", "/opt/mptcpd/bin/mptcpize", "/usr/bin");
}

/** Puts the package where commands run, by the name that pages have. Its service may start as on any host. */
export function downloaded(lab: SystemdLab): void {
  rmSync(lab.path("/usr/sbin/policy-rc.d"), { force: true });
  copyFileSync(debFile(debArchitecture), lab.path("/mptcpd_1.0.0-1_amd64.deb"));
}
