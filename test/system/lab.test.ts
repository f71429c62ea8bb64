import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { LabProcess, run } from "../../src/lab/kit/lab-process.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { SystemdLab, systemdProblem } from "../lab/systemd.ts";

describe("the lab's systemd", { skip: await systemdProblem() }, () => {
  it("keeps its files, not its processes, over a reboot, and touches none of this machine's", async (t) => {
    const lab = await SystemdLab.boot(t);
    await lab.run("touch", "/etc/made-in-the-lab", "/run/made-in-the-lab");
    await lab.reboot();
    await lab.run("test", "-e", "/etc/made-in-the-lab");
    await lab.run("test", "!", "-e", "/run/made-in-the-lab");
    await run("test", ["!", "-e", "/etc/made-in-the-lab"]);
  });

  it("has a network of its own, and shells that read nothing of the user's", async (t) => {
    const lab = await SystemdLab.boot(t);
    await lab.run("sh", "-c", "echo exit 7 >/root/.bashrc");
    await lab.run("bash", "-c", "true");
    await lab.run("sysctl", "--write", "net.mptcp.enabled=0");
    assert.equal((await run("sysctl", ["--values", "net.mptcp.enabled"])).trim(), "1");
    assert.notEqual(
      await lab.run("readlink", "/proc/self/ns/net"),
      await run("readlink", ["/proc/self/ns/net"]),
    );
  });

  it("is gone when the process that booted it was killed", async () => {
    const module = pathToFileURL(join(import.meta.dirname, "../lab/systemd.js"));
    const script = [
      `const { SystemdLab } = await import("${module}");`,
      "const lab = await SystemdLab.boot();",
      'console.log("up", lab.path("/"));',
    ];
    const owner = new LabProcess(process.execPath, ["--input-type=module", "--eval", script.join(" ")]);
    const [, init] = await owner.waitForLine(/^up \/proc\/(\d+)\//, { deadlineMs: 60_000 });
    const [cgroup] = readFileSync(`/proc/${init}/cgroup`, "utf8").match(/mptcpd-lab-[^/\n]+/) ?? [];
    assert.ok((await cgroups()).some((name) => name === cgroup));
    await owner.kill();
    const deadlineMs = 30_000;
    await waitFor("its processes to end", () => !existsSync(`/proc/${init}`), { deadlineMs });
    const isGone = async () => !(await cgroups()).some((name) => name === cgroup);
    await waitFor("its cgroup to go", isGone, { deadlineMs });
  });

  it("removes what was left over where even that could not tidy up", async (t) => {
    const left = join(await hierarchy(), "mptcpd-lab-left-over");
    mkdirSync(join(left, "system.slice"), { recursive: true });
    const longAgo = new Date(Date.now() - 120_000);
    utimesSync(left, longAgo, longAgo);
    await SystemdLab.boot(t);
    assert.ok(!(await cgroups()).includes("mptcpd-lab-left-over"));
  });
});

async function hierarchy(): Promise<string> {
  return (await run("findmnt", ["-n", "--first-only", "--types", "cgroup2", "--output", "TARGET"])).trim();
}

async function cgroups(): Promise<string[]> {
  return readdirSync(await hierarchy()).filter((name) => name.startsWith("mptcpd-lab-"));
}
