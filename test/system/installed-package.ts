import { copyFileSync } from "node:fs";
import { debArchitecture, debFile, packagesProblem } from "../lab/packages.ts";
import { SystemdLab, type SystemdLabOptions, systemdProblem } from "../lab/systemd.ts";

/** Why tests of the installed package cannot run here; false if they can. */
export async function installedPackageProblem(): Promise<string | false> {
  return packagesProblem() || (await systemdProblem(["dpkg"]));
}

/**
 * A booted system with the .deb that brings its own Node, installed as it comes. `prepare` makes its network before.
 */
export async function bootInstalled(
  prepare: (lab: SystemdLab) => Promise<void> = async () => {},
  options: SystemdLabOptions = {},
): Promise<SystemdLab> {
  const lab = await SystemdLab.boot(undefined, options);
  await prepare(lab);
  copyFileSync(debFile(debArchitecture), lab.path("/root/ours.deb"));
  // Images of containers have it: no package may start its services there.
  await lab.run("rm", "--force", "/usr/sbin/policy-rc.d");
  await lab.run("dpkg", "--install", "/root/ours.deb");
  return lab;
}
