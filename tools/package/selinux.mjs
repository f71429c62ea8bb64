// The SELinux module: packaging/selinux, compiled by checkmodule and semodule_package.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { root } from "./files.mjs";

const source = join(root, "packaging/selinux/mptcpd_node");

export function putSelinuxModule(path) {
  const work = mkdtempSync(join(tmpdir(), "mptcpd-package-"));
  try {
    mkdirSync(dirname(path), { recursive: true });
    const compiled = join(work, "mptcpd_node.mod");
    run("checkmodule", ["-M", "-m", "-o", compiled, `${source}.te`], "checkpolicy");
    run("semodule_package", ["-o", path, "-m", compiled, "-f", `${source}.fc`], "semodule-utils");
    chmodSync(path, 0o644);
  } finally {
    rmSync(work, { recursive: true });
  }
}

function run(command, args, debianPackage) {
  try {
    execFileSync(command, args, { stdio: ["ignore", "ignore", "inherit"] });
  } catch (error) {
    if (error.code !== "ENOENT") throw new Error(`${command} failed`);
    throw new Error(`${command} was not found: install it (Debian: apt install ${debianPackage})`);
  }
}
