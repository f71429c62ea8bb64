import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, it, type TestContext } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { describeProgram } from "../../src/programs/mptcpize/command-line.ts";
import { type Way, ways } from "../../src/services/ways.ts";
import { newerGo, newerGoProblem, newerSystem, newerSystemProblem } from "../lab/downloads.ts";
import { compiled, compiledGo, toolsFor } from "../lab/programs.ts";
import type { SystemdLab } from "../lab/systemd.ts";
import { bootInstalled, installedPackageProblem } from "./installed-package.ts";
import { dropIn, install, protocolAt, text, write } from "./units.ts";

const skip = (await installedPackageProblem()) || requires({ tools: [toolsFor.glibc] });
const isMptcp = /listener 262, connection 262/;

describe("mptcpize of the installed package", { skip }, () => {
  let lab: SystemdLab;
  before(async () => {
    lab = await bootInstalled();
  });
  after(() => lab.close());

  const size = async (...args: readonly string[]): Promise<string> => lab.run("mptcpize", ...args);

  /** Runs a program that tells what its sockets were, by the way that suits it. */
  async function runs(program: string, way: Way): Promise<void> {
    const { code, stdout, stderr } = await lab.outcome("mptcpize", "run", "-d", program, "once");
    assert.equal(code, 0, stderr);
    assert.match(stdout, isMptcp);
    assert.match(stderr, new RegExp(`: ${way}$`, "m"));
  }

  /** Enables a service that listens on a port, and disables it. */
  async function enables(program: string, port: number, way: Way, ...how: readonly string[]): Promise<void> {
    const unit = `by-${way}.service`;
    const lines = ["[Service]", "Type=notify", `ExecStart=${program} ${port}`, ""];
    await write(lab, { [`/etc/systemd/system/${unit}`]: lines.join("\n") });
    await lab.run("systemctl", "start", unit);
    assert.equal(await protocolAt(lab, port), "TCP");
    await size("enable", "--now", ...how, unit);
    assert.equal(await protocolAt(lab, port), "MPTCP");
    assert.match(text(lab, dropIn(unit)), new RegExp(`^Way=${way}$`, "m"));
    assert.match(await size("status", unit), new RegExp(`${unit}: enabled by ${way}, active, works`));
    await size("disable", "--now", unit);
    assert.equal(await protocolAt(lab, port), "TCP");
    assert.equal(existsSync(lab.path(dropIn(unit))), false);
    await lab.run("systemctl", "stop", unit);
  }

  const uses: Readonly<Record<Way, (t: TestContext) => Promise<void>>> = {
    async preload() {
      await runs(install(lab, await compiled("loopback", "glibc"), "loopback"), "preload");
      await enables(install(lab, await compiled("service", "glibc"), "serves"), 4110, "preload");
    },
    async go(t) {
      if (newerGoProblem) return t.skip(newerGoProblem);
      const program = install(lab, await compiledGo("loopback", { cgo: false, go: newerGo }), "loopback-go");
      await runs(program, "go");
      const unit = "by-go.service";
      await write(lab, {
        [`/etc/systemd/system/${unit}`]: `[Service]\nType=oneshot\nExecStart=${program}\n`,
      });
      /** Newer Go listens by MPTCP on its own: it is the connection that tells. */
      const says = async (): Promise<string | undefined> => {
        await lab.run("systemctl", "start", unit);
        await lab.run("journalctl", "--sync");
        const lines = await lab.run("journalctl", "--output=cat", "--identifier=loopback-go");
        return /connection (\d+)/.exec(lines.trim().split("\n").at(-1) ?? "")?.[1];
      };
      assert.equal(await says(), "6");
      await size("enable", unit);
      assert.equal(await says(), "262");
      assert.match(await size("status", unit), /by-go\.service: enabled by go/);
      await size("disable", unit);
      assert.equal(await says(), "6");
    },
    async seccomp() {
      await runs(install(lab, await compiled("loopback", "glibc static"), "loopback-static"), "seccomp");
      await enables(
        install(lab, await compiled("service", "glibc static"), "serves-static"),
        4130,
        "seccomp",
      );
    },
    /** Where the kernel cannot, mptcpize says why, and changes nothing. */
    async bpf() {
      const [service, loopback] = [
        install(lab, await compiled("service", "glibc"), "serves"),
        install(lab, await compiled("loopback", "glibc"), "loopback"),
      ];
      const { code, stdout, stderr } = await lab.outcome("mptcpize", "run", "--how=bpf", loopback, "once");
      if (code === 0) {
        assert.match(stdout, isMptcp);
        return enables(service, 4140, "bpf", "--how=bpf");
      }
      assert.equal(code, 125);
      assert.match(stderr, /^mptcpize: .*(kernel|bpf|BPF|cgroup)/);
      const unit = "/etc/systemd/system/by-bpf.service";
      await write(lab, { [unit]: `[Service]\nExecStart=${service} 4140\n` });
      assert.equal((await lab.outcome("mptcpize", "enable", "--how=bpf", "by-bpf")).code, 1);
      assert.equal(existsSync(lab.path(dropIn("by-bpf.service"))), false);
    },
    /** systemd 257 and newer. */
    async socket(t) {
      if (newerSystemProblem) return t.skip(newerSystemProblem);
      const newer = await bootInstalled(undefined, { lower: newerSystem });
      t.after(() => newer.close());
      await write(newer, {
        "/etc/systemd/system/echo.socket": "[Socket]\nListenStream=127.0.0.1:5000\nAccept=yes\n",
        "/etc/systemd/system/echo@.service": "[Service]\nExecStart=/bin/cat\nStandardInput=socket\n",
      });
      await newer.run("systemctl", "start", "echo.socket");
      await newer.run("mptcpize", "enable", "--now", "echo.socket");
      assert.equal(await protocolAt(newer, 5000), "MPTCP");
      await newer.run("mptcpize", "disable", "--now", "echo.socket");
      assert.equal(await protocolAt(newer, 5000), "TCP");
    },
  };

  it("has a test here for each of its ways, and each of its commands is in them", () => {
    assert.deepEqual(Object.keys(uses).sort(), [...ways].sort());
    // `attach` is called by units of the way bpf.
    const commands = describeProgram().commands.map((command) => command.name());
    assert.deepEqual(commands.sort(), ["attach", "disable", "enable", "run", "status"]);
  });
  for (const way of ways) it(`makes programs and services use MPTCP by ${way}`, (t) => uses[way](t));
});
