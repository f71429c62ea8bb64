import { copyFileSync } from "node:fs";
import { basename } from "node:path";
import { packageProblem } from "../lab/downloads.ts";
import { debArchitecture, debFile, packagesProblem } from "../lab/packages.ts";
import { SystemdLab, systemdProblem } from "../lab/systemd.ts";
import { addUplink } from "./service.ts";

/** The C programs, of Debian. */
export const upstream = ["libell0", "libmptcpd3", "mptcpd", "mptcpd-plugins", "mptcpize", "libmptcpwrap0"];
export const ours = debFile(debArchitecture);

const apt = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "-o", "Dpkg::Use-Pty=0"];
/** Why these packages cannot be installed in a booted system here. */
export const skip =
  packagesProblem() ||
  (await systemdProblem(["apt-get", "dpkg", "nginx"])) ||
  upstream.map(packageProblem).find(Boolean) ||
  false;

export async function bootForPackages(lower?: string): Promise<SystemdLab> {
  const lab = await SystemdLab.boot(undefined, lower === undefined ? {} : { lower });
  // Images of containers have it: no package may start its services there.
  await lab.run("rm", "--force", "/usr/sbin/policy-rc.d");
  await addUplink(lab, "up1", "10.1.0.1/24");
  await addUplink(lab, "up2", "10.2.0.1/24");
  return lab;
}

export function aptGet(...args: readonly string[]): [string, ...string[]] {
  return ["env", "DEBIAN_FRONTEND=noninteractive", ...apt, "--yes", ...args];
}

export async function install(lab: SystemdLab, ...args: readonly string[]): Promise<void> {
  const files = args.filter((name) => name.endsWith(".deb"));
  const inside = files.map((file) => `/root/${basename(file)}`);
  for (const [index, file] of files.entries()) copyFileSync(file, lab.path(inside[index] ?? ""));
  await lab.run(...aptGet("install", ...args.filter((arg) => !files.includes(arg)), ...inside));
}
