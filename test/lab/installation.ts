import { cpSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "../../src/lab/kit/checkout.ts";
import type { BootedSystem } from "./booted-system.ts";

/** What the daemon runs on, in the directory that the packages keep for themselves. */
const home = "/usr/lib/mptcpd";

/**
 * Installs this checkout's mptcpd where the packages do, with its units. systemd knows them then; nothing is started.
 */
export async function installMptcpd(system: BootedSystem): Promise<void> {
  const copy = (from: string, to: string): void =>
    cpSync(join(checkout, from), system.path(to), {
      recursive: true,
      filter: (path) => !path.startsWith(join(checkout, "dist/asan")),
    });
  copy("dist", `${home}/dist`);
  mkdirSync(system.path(`${home}/plugins`), { recursive: true });
  // A virtual machine is the same for all files of tests.
  rmSync(system.path(`${home}/node`), { force: true });
  symlinkSync(system.node, system.path(`${home}/node`));
  for (const [name, starter] of [
    ["mptcpd", "/usr/libexec/mptcpd"],
    ["mptcpctl", "/usr/bin/mptcpctl"],
  ] as const)
    copy(`bin/${name}`, starter);
  copy("packaging/mptcpd.conf", "/etc/mptcpd/mptcpd.conf");
  copy("packaging/systemd", "/usr/lib/systemd/system");
  copy("packaging/sysctl.d", "/usr/lib/sysctl.d");
  await system.run("systemctl", "daemon-reload");
}
