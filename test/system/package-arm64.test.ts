import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { run } from "../../src/lab/kit/lab-process.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { debFile, packagesProblem, version } from "../lab/packages.ts";

const tools = ["qemu-aarch64-static", "aarch64-linux-gnu-gcc", "busybox", "dpkg-deb", "chroot"];

/** Says of which protocol a TCP socket has become. */
const probe = `
#include <stdio.h>
#include <sys/socket.h>
int main(void) {
	int protocol = -1, fd = socket(AF_INET, SOCK_STREAM, 0);
	getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &(socklen_t){sizeof protocol});
	printf("protocol %d\\n", protocol);
}`;

/** In a user namespace of its own, so that this machine's list of binary formats stays what it is (Linux 6.7). */
const enter = `
set -e
root=$1
shift
mount --bind /usr/aarch64-linux-gnu/lib "$root/lib"
mount -t proc proc "$root/proc"
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
magic='\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00'
mask='\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff'
printf %s ":mptcpd-test:M::$magic:$mask:$(command -v qemu-aarch64-static):F" >/proc/sys/fs/binfmt_misc/register
exec chroot "$root" "$@"`;

describe("the .deb for arm64, emulated", {
  skip: packagesProblem(debFile("arm64")) || requires({ root: true, tools }),
}, () => {
  const root = mkdtempSync(join(tmpdir(), "mptcpd-arm64-"));
  const inside = (...command: string[]) =>
    run("unshare", [
      ...["--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"],
      ...["sh", "-c", enter, "enter", root, ...command],
    ]);

  before(async () => {
    await run("dpkg-deb", ["--extract", debFile("arm64"), root]);
    for (const name of ["bin", "lib", "proc"]) mkdirSync(join(root, name));
    // Of this machine's kind: the starters are scripts, and need a shell only.
    copyFileSync((await run("sh", ["-c", "command -v busybox"])).trim(), join(root, "bin/busybox"));
    symlinkSync("busybox", join(root, "bin/sh"));
    writeFileSync(join(root, "probe.c"), probe);
    await run("aarch64-linux-gnu-gcc", [join(root, "probe.c"), "-o", join(root, "probe")]);
  });
  after(() => rmSync(root, { recursive: true }));

  it("starts mptcpd on its own Node", async () => {
    assert.equal(await inside("/usr/libexec/mptcpd", "--version"), `mptcpd ${version}\n`);
  });

  it("starts mptcpctl, and the addon is loaded", async () => {
    assert.match(await inside("/usr/bin/mptcpctl", "--help"), /^Usage: mptcpctl /);
    const addon =
      "console.log(typeof process.getBuiltinModule('module').createRequire('/')('/usr/lib/mptcpd/dist/addon.node').netlinkOpen)";
    assert.equal(await inside("/usr/lib/mptcpd/node", "-e", addon), "function\n");
  });

  it("mptcpize makes a program use MPTCP by the preloaded library", async () => {
    assert.equal(await inside("/probe"), "protocol 6\n");
    assert.equal(await inside("/usr/bin/mptcpize", "run", "/probe"), "protocol 262\n");
  });

  it("mptcpize starts Node for the rest", async () => {
    assert.match(await inside("/usr/bin/mptcpize", "--help"), /Usage: mptcpize/i);
  });
});
