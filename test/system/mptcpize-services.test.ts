import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { checkout } from "../../src/lab/kit/checkout.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { eventually } from "../../src/lab/kit/wait.ts";
import { downloadedPackage, packageProblem } from "../lab/downloads.ts";
import { compiled, compiledGo, toolsFor } from "../lab/programs.ts";
import { SystemdLab, systemdProblem } from "../lab/systemd.ts";
import { dropIn, install, mptcpize, protocolAt, text, unitTrees, write } from "./units.ts";

describe("mptcpize enable, for services", { skip: await systemdProblem() }, () => {
  let lab: SystemdLab;
  before(async () => {
    lab = await SystemdLab.boot();
  });
  after(() => lab.close());

  /** From TCP by enable and a restart to MPTCP, by disable and a restart back, with nothing left behind. */
  async function thereAndBack(unit: string, port: number, meanwhile = async () => {}): Promise<void> {
    await lab.run("systemctl", "restart", unit);
    const trees = await unitTrees(lab);
    assert.equal(await protocolAt(lab, port), "TCP");
    await mptcpize(lab, "enable", unit);
    assert.equal(await protocolAt(lab, port), "TCP", "not restarted yet");
    await lab.run("systemctl", "restart", unit);
    assert.equal(await protocolAt(lab, port), "MPTCP");
    await meanwhile();
    await mptcpize(lab, "disable", unit);
    assert.equal(await protocolAt(lab, port), "MPTCP", "not restarted yet");
    await lab.run("systemctl", "restart", unit);
    assert.equal(await protocolAt(lab, port), "TCP");
    assert.equal(await unitTrees(lab), trees);
    await lab.run("systemctl", "stop", unit);
  }

  it("turns nginx to MPTCP and back", { skip: requires({ tools: ["nginx"] }) }, () =>
    thereAndBack("nginx", 80),
  );

  const reinstalling = requires({ tools: ["nginx"] }) || packageProblem("nginx-common");
  it("is not touched by the package's next installation", { skip: reinstalling }, () =>
    thereAndBack("nginx", 80, async () => {
      const trees = await unitTrees(lab);
      const inside = "/root/nginx-common.deb";
      copyFileSync(downloadedPackage("nginx-common"), lab.path(inside));
      await lab.run("apt-get", "install", "--reinstall", "--yes", "--no-download", inside);
      assert.equal(await unitTrees(lab), trees);
      await lab.run("systemctl", "restart", "nginx");
      assert.equal(await protocolAt(lab, 80), "MPTCP");
    }),
  );

  it("turns sshd to MPTCP and back, by its alias, too", { skip: requires({ tools: ["sshd"] }) }, async () => {
    await lab.run("systemctl", "enable", "ssh.service");
    await thereAndBack("ssh.service", 22);
    await thereAndBack("sshd.service", 22, async () =>
      assert.match(text(lab, dropIn("ssh.service")), /^Way=preload$/m),
    );
  });

  const musl = requires({ tools: [toolsFor.musl] });
  const programs = [
    { kind: "glibc", way: "preload", make: () => compiled("service", "glibc"), skip: false },
    { kind: "musl", way: "preload", make: () => compiled("service", "musl"), skip: musl },
    { kind: "static", way: "seccomp", make: () => compiled("service", "musl static"), skip: musl },
  ] as const;
  for (const [index, { kind, way, make, skip }] of programs.entries()) {
    it(`keeps a ${kind} service of Type=notify, its prefixes, reload and name (${way})`, {
      skip,
    }, async () => {
      const program = install(lab, await make(), `${kind}-notify`);
      const unit = `${kind}-notify.service`;
      const port = 4010 + index * 100;
      await writeService(unit, [
        "Type=notify",
        `ExecStart=-:@${program} "a $NAME" ${port}`,
        "ExecReload=kill -HUP $MAINPID",
      ]);
      await thereAndBack(unit, port, async () => {
        assert.match(text(lab, dropIn(unit)), new RegExp(`^Way=${way}$`, "m"));
        assert.equal(await commandLine(unit), `a $NAME ${port}`);
        const commands = await lab.run("systemctl", "show", "--property=ExecStartEx", unit);
        assert.match(commands, /flags=ignore-failure no-env-expand ;/);
        await lab.run("journalctl", "--sync");
        const said = await lab.run(
          "journalctl",
          "--output=cat",
          `--unit=${unit}`,
          `--identifier=${kind}-notify`,
        );
        assert.equal(said, `listening on ${port}\n`.repeat(2), "the journal knows it by its name");
        await lab.run("systemctl", "reload", unit);
        await eventually("the reload", async () => assert.equal(await protocolAt(lab, port + 1), "MPTCP"));
      });
    });

    it(`keeps a ${kind} service of Type=forking (${way})`, { skip }, async () => {
      const program = install(lab, await make(), `${kind}-forking`);
      const unit = `${kind}-forking.service`;
      const port = 4020 + index * 100;
      const pidFile = `/run/${kind}.pid`;
      await writeService(unit, [
        "Type=forking",
        `PIDFile=${pidFile}`,
        `ExecStart=${program} ${port} ${pidFile}`,
      ]);
      await thereAndBack(unit, port, async () => {
        assert.equal(await mainPid(unit), text(lab, pidFile).trim());
        assert.equal(await commandLine(unit), `${program} ${port} ${pidFile}`);
      });
    });

    it(`gives a ${kind} service its sockets as before (${way})`, { skip }, async () => {
      const program = install(lab, await make(), `${kind}-activated`);
      const unit = `${kind}-activated.service`;
      const port = 4030 + index * 100;
      await writeService(unit, [
        "Type=notify",
        `ExecStart=${program} ${port}`,
        "ExecReload=kill -HUP $MAINPID",
      ]);
      await write(lab, {
        [`/etc/systemd/system/${kind}-activated.socket`]: `[Socket]\nListenStream=127.0.0.1:${port}\n`,
      });
      await lab.run("systemctl", "start", `${kind}-activated.socket`);
      const { stderr } = await mptcpize(lab, "enable", unit);
      assert.match(stderr, new RegExp(`gets from ${kind}-activated\\.socket stay as they are`));
      await lab.run("bash", "-c", `: </dev/tcp/127.0.0.1/${port}`);
      const state = () => lab.outcome("systemctl", "is-active", unit);
      await eventually("the start", async () => assert.equal((await state()).stdout, "active\n"));
      assert.equal(await protocolAt(lab, port), "TCP", "systemd's own socket");
      await lab.run("systemctl", "reload", unit);
      await eventually("its own socket", async () => assert.equal(await protocolAt(lab, port + 1), "MPTCP"));
      await lab.run("systemctl", "stop", `${kind}-activated.socket`, unit);
    });
  }

  it("reaches a Go service of an old toolchain by seccomp", {
    skip: requires({ tools: [toolsFor.go] }),
  }, async () => {
    const program = install(lab, await compiledGo("service", { cgo: false }), "old-go");
    await writeService("old-go.service", ["Type=notify", `ExecStart=${program} 4900`]);
    await thereAndBack("old-go.service", 4900, async () =>
      assert.match(text(lab, dropIn("old-go.service")), /^Way=seccomp$/m),
    );
  });

  it("reaches a Go service of a newer toolchain", async () => {
    const esbuild = `node_modules/@esbuild/linux-${process.arch}/bin/esbuild`;
    const program = install(lab, join(checkout, esbuild), "new-go");
    await writeService("new-go.service", [
      `ExecStart=${program} --serve=127.0.0.1:4910 --watch=forever`,
      "ExecStartPost=/bin/bash -c 'until : </dev/tcp/127.0.0.1/4910; do :; done'",
      "TimeoutStartSec=60",
    ]);
    await thereAndBack("new-go.service", 4910);
  });

  async function writeService(unit: string, lines: readonly string[]): Promise<void> {
    await write(lab, { [`/etc/systemd/system/${unit}`]: ["[Service]", ...lines, ""].join("\n") });
  }

  async function mainPid(unit: string): Promise<string> {
    return (await lab.run("systemctl", "show", "--property=MainPID", "--value", unit)).trim();
  }

  async function commandLine(unit: string): Promise<string> {
    const line = await lab.run("cat", `/proc/${await mainPid(unit)}/cmdline`);
    return line.replace(/\0$/, "").replaceAll("\0", " ");
  }
});
