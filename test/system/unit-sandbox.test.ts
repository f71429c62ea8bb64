import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { checkout } from "../../src/lab/kit/checkout.ts";
import { type BootedSystem, bootedSystem, bootedSystemProblem } from "../lab/booted-system.ts";
import { installMptcpd } from "../lab/installation.ts";
import { Inside } from "./inside.ts";
import { addUplink, endpointAddresses, mainPid, unit } from "./service.ts";

/** What `systemd-analyze security` may say at most: 0 is perfect, 10 is no sandbox. */
const exposureLimit = 1.5;

/** Perl is part of every Debian. */
const sockets = {
  "TCP over IPv4": "socket(S, PF_INET, SOCK_STREAM, 6)",
  "MPTCP over IPv4": "socket(S, PF_INET, SOCK_STREAM, 262)",
  "UDP over IPv4": "socket(S, PF_INET, SOCK_DGRAM, 17)",
  "TCP over IPv6": "socket(S, PF_INET6, SOCK_STREAM, 6)",
  "UDP over IPv6": "socket(S, PF_INET6, SOCK_DGRAM, 17)",
  "raw IPv4": "socket(S, PF_INET, SOCK_RAW, 1)",
  // AF_PACKET of socket(7).
  packet: "socket(S, 17, SOCK_RAW, 768)",
};

describe("the sandbox of mptcp.service", { skip: await bootedSystemProblem(["perl", "setpriv"]) }, () => {
  let system: BootedSystem;
  let inside: Inside;
  before(async () => {
    system = await bootedSystem();
    await installMptcpd(system);
    await addUplink(system, "up1", "10.1.0.1/24");
    inside = await Inside.start(system);
  });
  after(() => system.close());

  it(`has an exposure of ${exposureLimit} or less, by systemd's own measure`, async () => {
    for (const each of [unit, "mptcpd@any.service"]) {
      const said = await system.run("systemd-analyze", "security", "--no-pager", each);
      const [, exposure] = /Overall exposure level for \S+: ([\d.]+)/.exec(said) ?? [];
      assert.ok(Number(exposure) <= exposureLimit, `${each}: ${exposure}`);
    }
  });

  it("is the same for all network namespaces", () => {
    const own =
      /^(#|$)|^(Description|AssertPathExists|User|RuntimeDirectory|NetworkNamespacePath|BindReadOnlyPaths)=/;
    const [one, many] = ["mptcp.service", "mptcpd@.service"].map((name) =>
      readFileSync(join(checkout, "packaging/systemd", name), "utf8")
        .split("\n")
        .filter((line) => !own.test(line)),
    );
    assert.deepEqual(many, one);
  });

  it("leaves a user who is not root, with CAP_NET_ADMIN and no other capability", async () => {
    const { stdout } = await inside.run("id -u; cat /proc/self/status");
    assert.notEqual(stdout.split("\n")[0], "0");
    const netAdmin = "0000000000001000";
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
      assert.match(stdout, new RegExp(`^${set}:\\s${netAdmin}$`, "m"));
    assert.match(stdout, /^NoNewPrivs:\s1$/m);
    assert.match(stdout, /^Seccomp:\s2$/m);
    assert.equal(
      await system.run("sh", "-c", `grep -c ${netAdmin} /proc/${await mainPid(system)}/status`),
      "5\n",
    );
  });

  it("does its work in there", async () => {
    assert.deepEqual(await endpointAddresses(system), ["10.1.0.1"]);
    // CAP_NET_ADMIN is there to be used.
    await succeeds("ip mptcp endpoint add 10.9.9.9 id 99 && ip mptcp endpoint delete id 99");
  });

  it("lets nothing gain a capability, or another user", async () => {
    await system.run("sh", "-c", 'install --mode=4755 "$(command -v id)" /usr/local/bin/set-user-id');
    assert.equal(await system.run("setpriv", "--reuid=12345", "/usr/local/bin/set-user-id", "-u"), "0\n");
    const { stdout } = await inside.run("/usr/local/bin/set-user-id -u; id -u");
    const [setUserId, user] = stdout.split("\n");
    assert.equal(setUserId, user, "a set-user-id program runs as who started it");
    await fails("setpriv --inh-caps=+net_raw --ambient-caps=+net_raw true");
    await fails("setpriv --reuid=0 true", "setpriv --reuid=1000 --clear-groups true");
    await fails("unshare --user --map-root-user true");
    await fails("unshare --net true");
    await fails("mount -t tmpfs none /tmp");
    await fails("nsenter --target 1 --mount true");
  });

  it("lets nothing write outside of its runtime directory, but into a /tmp of its own", async () => {
    const mounts = "awk '$6 ~ /^rw/ { print $5 }' /proc/self/mountinfo | grep -vE '^/(proc|sys)(/|$)'";
    const { stdout } = await inside.run(
      `${mounts} | while read -r one; do find "$one" -xdev -type d -writable; done | sort -u`,
    );
    const directories = stdout.split("\n").filter((line) => line !== "");
    assert.deepEqual(directories, ["/run/private/mptcpd", "/tmp", "/var/tmp"]);
    await succeeds("touch /run/mptcpd/here /tmp/mptcpd-was-here /var/tmp/mptcpd-was-here");
    for (const each of ["/tmp/mptcpd-was-here", "/var/tmp/mptcpd-was-here"])
      assert.equal(existsSync(system.path(each)), false, `${each} is nobody else's`);
    for (const each of [
      "/",
      "/etc",
      "/etc/mptcpd",
      "/usr/lib/mptcpd",
      "/var/lib",
      "/run",
      "/dev/shm",
      "/root",
      "/home",
    ])
      await fails(`touch ${each}/mptcpd-was-here`);
    await fails("echo >>/etc/mptcpd/mptcpd.conf");
  });

  it("lets nothing set a sysctl but those of MPTCP", async () => {
    // Opened and not written. access(2), by which find(1) knows what is -writable, takes no notice of capabilities.
    const open = `perl -ne 'chomp; print "$_\\n" if sysopen(my $file, $_, 1)'`;
    const { stdout } = await inside.run(`find /proc/sys /sys -type f 2>/dev/null | ${open}`);
    const writable = stdout.split("\n").filter((line) => line !== "");
    assert.ok(writable.includes("/proc/sys/net/mptcp/enabled"));
    assert.deepEqual(
      writable.filter((path) => !path.startsWith("/proc/sys/net/mptcp/")),
      [],
    );
    await fails("echo 1 >/proc/sys/net/ipv4/ip_forward", "sysctl --write net.ipv4.ip_forward=1");
  });

  it("leaves no way to send or receive by IP", async () => {
    for (const [what, socket] of Object.entries(sockets)) {
      const script = `perl -MSocket -e '${socket} or die "$!\\n"'`;
      await system.run("sh", "-c", script);
      const { code, stderr } = await inside.run(script);
      assert.notEqual(code, 0, what);
      assert.match(stderr, /^Address family not supported by protocol$/m, what);
    }
  });

  it("leaves no io_uring, by which sockets would be made past the filter of their families", async () => {
    // io_uring_setup(2), for one entry: it writes what it made of 120 bytes.
    const script = `perl -e 'my $parameters = "\\0" x 120; syscall(425, 1, $parameters) >= 0 or die "$!\\n"'`;
    await system.run("sh", "-c", script);
    const { code, stderr } = await inside.run(script);
    assert.notEqual(code, 0);
    assert.match(stderr, /^Operation not permitted$/m);
  });

  it("lets nothing signal the processes of others, or see them", async () => {
    await fails("kill -0 1", "ls -d /proc/1");
  });

  async function succeeds(script: string): Promise<void> {
    const { code, stderr } = await inside.run(script);
    assert.equal(code, 0, `${script}: ${stderr}`);
  }

  async function fails(...scripts: readonly string[]): Promise<void> {
    for (const script of scripts) {
      const { code, stderr } = await inside.run(script);
      assert.notEqual(code, 0, script);
      assert.match(stderr, /not permitted|denied|Read-only|not available|failed|cannot/i, script);
    }
  }
});
