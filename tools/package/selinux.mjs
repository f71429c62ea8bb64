// The SELinux module: packaging/selinux, compiled by checkmodule and semodule_package.
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { root } from "./files.mjs";
import { runTool } from "./tool.mjs";

const source = join(root, "packaging/selinux/mptcpd_node");

export function putSelinuxModule(path) {
  const work = mkdtempSync(join(tmpdir(), "mptcpd-package-"));
  try {
    mkdirSync(dirname(path), { recursive: true });
    const compiled = join(work, "mptcpd_node.mod");
    runTool("checkmodule", ["-M", "-m", "-o", compiled, `${source}.te`], "checkpolicy");
    runTool("semodule_package", ["-o", path, "-m", compiled, "-f", `${source}.fc`], "semodule-utils");
    chmodSync(path, 0o644);
  } finally {
    rmSync(work, { recursive: true });
  }
}
