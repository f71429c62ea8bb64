import assert from "node:assert/strict";
import { chmodSync, copyFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it, type TestContext } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { ending, launcher, openDirectory, writeProgram } from "../lab/launcher.ts";
import { compiled, toolsFor } from "../lab/programs.ts";

const skip = requires({ root: true, tools: [toolsFor.glibc, "setpriv", "busybox"] });
const aSocket = ["socket", "2", "1", "0"];
const mptcp = "fd 3 protocol 262 errno 999\n";

/** Commands that this machine may not have: each starts its arguments in an empty environment. */
const absent = [
  "sudo",
  "doas",
  "pkexec",
  "bwrap",
  "systemd-run",
  "run0",
  "docker",
  "podman",
  "machinectl",
  "at",
];

describe("mptcpize run of a command that starts another program", { skip }, () => {
  let sockets: string;
  before(async () => {
    sockets = await compiled("sockets", "glibc");
  });

  describe("takes the way that reaches the program", () => {
    for (const [command, way, why] of [
      ["env -i", "seccomp", "env clears the environment"],
      ["env -", "seccomp", "env clears the environment"],
      ["env -vi A=1", "seccomp", "env clears the environment"],
      ["env --ignore-environment", "seccomp", "env clears the environment"],
      ["env -u LD_PRELOAD", "seccomp", "env clears the environment"],
      ["env --unset=LD_PRELOAD", "seccomp", "env clears the environment"],
      ["env -uGODEBUG", "seccomp", "env clears the environment"],
      ["env A=1", "preload", undefined],
      ["env -u A", "preload", undefined],
      ["setpriv --reset-env", "seccomp", "setpriv clears the environment"],
      ["setpriv --clear-groups", "preload", undefined],
      ["sudo", "seccomp", "sudo clears the environment"],
      ["doas", "seccomp", "doas clears the environment"],
      ["pkexec", "seccomp", "pkexec clears the environment"],
      ["su nobody -c", "seccomp", "su clears the environment"],
      ["runuser -u nobody", "seccomp", "runuser clears the environment"],
      ["chroot /", "seccomp", "chroot hides the library"],
      ["bwrap --bind / /", "seccomp", "bwrap hides the library"],
      ["unshare -R /", "seccomp", "unshare hides the library"],
      ["unshare -n", "preload", undefined],
      ["nsenter -t 1 -m", "seccomp", "nsenter hides the library"],
      ["nsenter -t 1 -n", "preload", undefined],
      ["systemd-run --scope", "preload", undefined],
      ["nice -n 5 env -i", "seccomp", "env clears the environment"],
      ["timeout 5 nohup sudo", "seccomp", "sudo clears the environment"],
      ["timeout 5", "preload", undefined],
      ["busybox env -i", "seccomp", undefined],
    ] as const)
      it(`${command}: ${way}`, (t) => {
        const { stdout, stderr } = inspect(t, [...command.split(" "), "/bin/ls"]);
        assert.match(stdout, new RegExp(`^way: ${way}\n`), stderr);
        const [said] = /(?<=, )\w+ (?:clears|hides|has) .*$/m.exec(stdout) ?? [];
        assert.equal(said, why);
      });

    it("and not by a word that only looks like such a command", (t) => {
      for (const words of [
        ["timeout", "5", "echo", "sudo"],
        ["ls", "env", "-i"],
        ["env", "ls", "-i"],
      ])
        assert.match(inspect(t, words).stdout, /^way: preload\n/, words.join(" "));
    });
  });

  it("converts behind commands that empty the environment", (t) => {
    const path = standIns(t);
    for (const command of [
      ["env", "-i"],
      ["env", "-u", "LD_PRELOAD"],
      ["setpriv", "--reset-env"],
      ["nice", "env", "-i"],
      ["sudo"],
      ["runuser", "-u", "nobody", "--"],
    ])
      assert.equal(
        ending(launcher, ["run", ...command, sockets, ...aSocket], { env: { PATH: path } }).stdout,
        mptcp,
        command.join(" "),
      );
    const su = ["run", "su", "-", "nobody", "-s", "/bin/sh", "-c", [sockets, ...aSocket].join(" ")];
    assert.equal(ending(launcher, su).stdout, mptcp);
  });

  it("converts in another root directory, where no library is", async (t) => {
    const root = openDirectory(t);
    copyFileSync(await compiled("sockets", "glibc static"), join(root, "sockets"));
    chmodSync(join(root, "sockets"), 0o755);
    assert.equal(ending(launcher, ["run", "chroot", root, "/sockets", ...aSocket]).stdout, mptcp);
  });

  describe("that has another process start it", () => {
    for (const command of ["systemd-run", "run0", "docker", "podman", "machinectl", "at"])
      it(`${command}: warns, and says where to put mptcpize`, (t) => {
        const env = { PATH: standIns(t) };
        const run = (...options: string[]) =>
          ending(launcher, ["run", ...options, command, "/bin/true"], { env });
        const advice = `: ${command} has another process start the program: put \`mptcpize run\` directly before the program`;
        const plain = run();
        assert.equal(plain.code, 0);
        assert.ok(plain.stderr.endsWith(`${advice}, it runs as TCP\n`), plain.stderr);
        for (const option of ["--strict", "--how=preload", "--how=seccomp", "--how=bpf"]) {
          const { code, stderr } = run(option);
          assert.deepEqual([code, stderr.endsWith(`${advice}\n`)], [125, true], `${option}: ${stderr}`);
        }
      });
  });

  describe("that gains privilege for a user, which no_new_privs would take", () => {
    for (const command of [
      ["sudo"],
      ["env", "-u", "LD_PRELOAD", "sudo"],
      ["timeout", "5", "sudo"],
      ["sudo", "env", "-i"],
    ])
      it(`${command.join(" ")}: keeps its privilege, with a warning that says where to put mptcpize`, (t) => {
        const path = standIns(t);
        const sudo = join(path.split(":")[0] ?? "", "sudo");
        copyFileSync("/usr/bin/env", sudo);
        chmodSync(sudo, 0o4755);
        const words = [...command, "busybox", "grep", "NoNewPrivs", "/proc/self/status"];
        const asNobody = ["--reuid=65534", "--regid=65534", "--clear-groups", launcher, "run", ...words];
        const { code, stdout, stderr } = ending("setpriv", asNobody, { env: { PATH: path } });
        assert.deepEqual([code, stdout], [0, "NoNewPrivs:\t0\n"], stderr);
        assert.match(
          stderr,
          /setuid root, and (sudo|env) clears the environment: put `mptcpize run` directly before the program, it runs as TCP\n$/,
        );
      });

    it("env -i of another program: converts that", () => {
      const words = [launcher, "run", "env", "-i", sockets, ...aSocket];
      assert.equal(ending("setpriv", ["--reuid=65534", "--clear-groups", ...words]).stdout, mptcp);
    });
  });

  it("--how=preload says that the program is not converted", () => {
    const { stdout, stderr } = ending(launcher, ["run", "--how=preload", "env", "-i", sockets, ...aSocket]);
    assert.equal(stdout, "fd 3 protocol 6 errno 999\n");
    assert.match(stderr, /: env clears the environment: the program is not converted\n$/);
  });
});

/** A PATH with stand-ins for commands, before those of this machine. */
function standIns(t: TestContext): string {
  const directory = openDirectory(t);
  for (const name of absent)
    writeProgram(
      join(directory, name),
      '#!/bin/sh\n[ "$1" != --scope ] || shift\nexec /usr/bin/env -i "$@"\n',
    );
  const { PATH = "" } = process.env;
  return `${directory}:${PATH}`;
}

function inspect(t: TestContext, words: readonly string[]) {
  return ending(launcher, ["run", "--dry-run", ...words], { env: { PATH: standIns(t) } });
}
