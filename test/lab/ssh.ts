import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../src/lab/kit/lab-process.ts";
import { address } from "./one-link.ts";

/** What `requires` must ask for. */
export const sshTools = ["ssh", "sshd", "ssh-keygen"];

/** An sshd with keys of its own, and further lines of sshd_config. The directory is for it alone. */
export async function sshd(
  directory: string,
  port: number,
  lines: readonly string[] = [],
): Promise<string[]> {
  // Its privilege separation wants this directory; the sandbox has a /run of its own.
  mkdirSync("/run/sshd", { recursive: true });
  chmodSync("/run/sshd", 0o755);
  for (const key of ["key", "host-key"])
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(directory, key)]);
  const configuration = [
    ...[`HostKey ${directory}/host-key`, `AuthorizedKeysFile ${directory}/key.pub`, "StrictModes no"],
    ...["PermitRootLogin yes", "UsePAM no", "PidFile none", `ListenAddress ${address}:${port}`],
    ...lines,
  ];
  writeFileSync(join(directory, "sshd_config"), `${configuration.join("\n")}\n`);
  // It starts itself again for each connection, and insists on an absolute path for that.
  const path = (await run("sh", ["-c", "command -v sshd"])).trim();
  return [path, "-D", "-e", "-f", join(directory, "sshd_config")];
}

/** Runs a command there, as root; `options` are those of ssh_config. */
export function ssh(
  directory: string,
  port: number,
  command: readonly string[],
  options: readonly string[] = [],
): string[] {
  const all = [
    ...["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"],
    ...[`IdentityFile=${directory}/key`, `Port=${port}`, "LogLevel=ERROR"],
    ...options,
  ];
  return ["ssh", "-F", "none", ...all.map((option) => `-o${option}`), `root@${address}`, ...command];
}
