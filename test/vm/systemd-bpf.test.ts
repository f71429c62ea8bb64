import assert from "node:assert/strict";
import { copyFileSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Sockets } from "../../src/kernel/sockets.ts";
import { checkout } from "../../src/lab/kit/checkout.ts";
import { run } from "../../src/lab/kit/lab-process.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { ending, launcher } from "../lab/launcher.ts";
import { linuxWithUpdateSocketProtocol, requiresMachine } from "../lab/vm.ts";

const pins = "/sys/fs/bpf/mptcpize";
const units = "/etc/systemd/system";
const deadlineMs = 60_000;

/** A static Go program that is at hand, where services see it that have a /tmp, /home and /root of their own. */
const server = "/usr/local/bin/mptcpd-test-server";
const plain = serviceOn(8001, "");
const sandboxed = serviceOn(
  8002,
  `DynamicUser=yes
NoNewPrivileges=yes
ProtectSystem=strict
ProtectControlGroups=yes
ProtectKernelTunables=yes
PrivateDevices=yes
RestrictNamespaces=yes
RestrictAddressFamilies=AF_INET AF_INET6
SystemCallFilter=@system-service
CapabilityBoundingSet=
`,
);

describe("mptcpize enable --how=bpf", {
  skip: requiresMachine("systemd", { from: linuxWithUpdateSocketProtocol }),
}, () => {
  before(async () => {
    installServer();
    await writeUnit("plain.service", plain);
    await writeUnit("sandboxed.service", sandboxed);
    await writeUnit("web@.service", serviceOn("80%i", ""));
    mptcpize("enable", "--how=bpf", "plain.service", "sandboxed.service", "web@.service");
  });
  after(() => removeUnits("plain.service", "sandboxed.service", "web@.service"));

  it("changes nothing before the unit starts again", async () => {
    assert.equal(existsSync(pins), false);
  });

  it("makes a service's sockets MPTCP, at every start", async () => {
    for (const action of ["start", "restart", "restart"]) {
      await systemctl(action, "plain.service");
      await listensOn(8001, "mptcp");
    }
  });

  it("does so for a service in a sandbox that allows none of it", async () => {
    await systemctl("start", "sandboxed.service");
    await listensOn(8002, "mptcp");
  });

  it("does so for each instance of a template", async () => {
    await systemctl("start", "web@03.service", "web@04.service");
    await listensOn(8003, "mptcp");
    await listensOn(8004, "mptcp");
  });

  it("leaves other services as they are", async (t) => {
    await writeUnit("other.service", serviceOn(8005, ""));
    t.after(() => removeUnits("other.service"));
    await systemctl("start", "other.service");
    await listensOn(8005, "tcp");
  });

  it("outlives the service manager's re-execution and reload", async () => {
    await systemctl("daemon-reexec");
    await systemctl("daemon-reload");
    await systemctl("restart", "plain.service");
    await listensOn(8001, "mptcp");
  });

  it("is undone by disable: for good at once, for the sockets at the next start", async () => {
    mptcpize("disable", "plain.service", "sandboxed.service");
    await systemctl("restart", "plain.service", "sandboxed.service");
    await listensOn(8001, "tcp");
    await listensOn(8002, "tcp");
    mptcpize("disable", "web@.service");
    assert.equal(existsSync(pins), false);
  });
});

describe("mptcpize enable --how=bpf before Linux 6.6", {
  skip: requiresMachine("systemd", { before: linuxWithUpdateSocketProtocol }),
}, () => {
  before(async () => {
    installServer();
    await writeUnit("plain.service", plain);
  });
  after(() => removeUnits("plain.service"));

  it("is refused with the reason, and changes nothing", () => {
    const { code, stderr } = ending(launcher, ["enable", "--how=bpf", "plain.service"]);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^mptcpize: .*this kernel has no update_socket_protocol: it takes Linux 6\.6 or newer\n$/,
    );
    assert.equal(existsSync(join(units, "plain.service.d")), false);
  });

  it("is not needed: enable finds another way", async () => {
    mptcpize("enable", "plain.service");
    await systemctl("start", "plain.service");
    await listensOn(8001, "mptcp");
  });
});

function installServer(): void {
  copyFileSync(join(checkout, "node_modules/@esbuild/linux-x64/bin/esbuild"), server);
}

/** Without the MPTCP that Go brings by itself. The server ends with its input. */
function serviceOn(port: number | string, settings: string): string {
  return `[Service]
Environment=GODEBUG=multipathtcp=0
ExecStart=/bin/sh -c "sleep infinity | ${server} --serve=127.0.0.1:${port}"
${settings}`;
}

async function writeUnit(name: string, text: string): Promise<void> {
  writeFileSync(join(units, name), text);
  await systemctl("daemon-reload");
}

async function removeUnits(...names: readonly string[]): Promise<void> {
  for (const name of names) {
    await run("systemctl", ["stop", name.replace("@.", "@*.")]);
    for (const path of [name, `${name}.d`]) rmSync(join(units, path), { recursive: true, force: true });
  }
  await systemctl("daemon-reload");
}

function systemctl(...args: readonly string[]): Promise<string> {
  return run("systemctl", args);
}

function mptcpize(...args: readonly string[]): void {
  const { code, stderr } = ending(launcher, args);
  assert.equal(code, 0, stderr);
}

async function listensOn(port: number, protocol: "mptcp" | "tcp"): Promise<void> {
  const sockets = Sockets.open();
  try {
    await waitFor(
      `something to listen on port ${port}`,
      async () => (await run("ss", ["-Hltn", `sport = ${port}`])) !== "",
      { deadlineMs },
    );
    const isMptcp = (await sockets.dumpListeners()).some(({ local }) => local.port === port);
    assert.equal(isMptcp ? "mptcp" : "tcp", protocol);
  } finally {
    sockets.close();
  }
}
