import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { compiled, toolsFor } from "../lab/programs.ts";
import { SystemdLab, systemdProblem } from "../lab/systemd.ts";
import { install, mptcpize, protocolAt, refuses, unitTrees, write } from "./units.ts";

/** What systemd.exec(5) offers against services; `systemd-analyze security` asks for it. */
const hardening = [
  ...["DynamicUser=yes", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "RestrictSUIDSGID=yes"],
  ...[
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectProc=invisible",
  ],
  ...[
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectControlGroups=yes",
    "LockPersonality=yes",
  ],
  ...["RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", "RestrictNamespaces=yes", "RestrictRealtime=yes"],
  ...[
    "MemoryDenyWriteExecute=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service seccomp",
  ],
];

describe("mptcpize enable, for services in a sandbox", {
  skip: await systemdProblem([toolsFor.musl]),
}, () => {
  let lab: SystemdLab;
  before(async () => {
    lab = await SystemdLab.boot();
  });
  after(() => lab.close());

  const programs = [
    { kind: "dynamic", build: "glibc", port: 6000 },
    { kind: "static", build: "musl static", port: 6010 },
  ] as const;
  for (const { kind, build, port } of programs)
    it(`reaches a hardened ${kind} service, as it is`, async () => {
      const program = install(lab, await compiled("service", build), kind);
      const lines = ["[Service]", "Type=notify", ...hardening, `ExecStart=${program} ${port}`, ""];
      await write(lab, { [`/etc/systemd/system/${kind}.service`]: lines.join("\n") });
      await lab.run("systemctl", "start", kind);
      assert.equal(await protocolAt(lab, port), "TCP");
      await mptcpize(lab, "enable", "--now", kind);
      assert.equal(await protocolAt(lab, port), "MPTCP");
      await mptcpize(lab, "disable", "--now", kind);
      assert.equal(await protocolAt(lab, port), "TCP");
    });

  it("names the setting that hides what mptcpize needs, and changes nothing", async () => {
    await write(lab, { "/srv/bin/sleep": "#!/bin/sh\n" });
    await lab.run("chmod", "755", "/srv/bin/sleep");
    const hiding = ["InaccessiblePaths=/opt", "TemporaryFileSystem=/opt", "RootDirectory=/srv"];
    for (const [index, setting] of hiding.entries()) {
      const unit = `hiding-${index}.service`;
      const lines = ["[Service]", setting, "ExecStart=/bin/sleep infinity", ""];
      await write(lab, { [`/etc/systemd/system/${unit}`]: lines.join("\n") });
      const trees = await unitTrees(lab);
      const [name = ""] = setting.split("=");
      await refuses(lab, ["enable", unit], new RegExp(`${unit}.*${name}`));
      assert.equal(await unitTrees(lab), trees);
    }
  });

  it("says what the kernel has against --how=bpf and changes nothing, or reaches the service by it", async () => {
    const program = install(lab, await compiled("service", "musl static"), "by-bpf");
    const lines = ["[Service]", "Type=notify", `ExecStart=${program} 6020`, ""];
    await write(lab, { "/etc/systemd/system/by-bpf.service": lines.join("\n") });
    const trees = await unitTrees(lab);
    const { code, stderr } = await lab.outcome(lab.mptcpize, "enable", "--how=bpf", "--now", "by-bpf");
    if (code === 0) {
      await lab.run("systemctl", "start", "by-bpf");
      assert.equal(await protocolAt(lab, 6020), "MPTCP");
      await mptcpize(lab, "disable", "by-bpf");
    } else assert.match(stderr, /^mptcpize: .+\n$/);
    assert.equal(await unitTrees(lab), trees);
  });
});
