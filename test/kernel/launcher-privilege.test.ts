import assert from "node:assert/strict";
import { chmodSync, chownSync, copyFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { elf, goBuildInformation } from "../lab/elf.ts";
import { type Ending, ending, launcher, openDirectory, writeProgram } from "../lab/launcher.ts";
import { compiled, toolsFor } from "../lab/programs.ts";

const skip = requires({ root: true, tools: [toolsFor.glibc, "setpriv", "python3"] });
const nobody = 65534;
const daemon = 1;
const chownBit = 0x1;
const netRawBit = 0x2000;

type File = {
  owner?: number;
  group?: number;
  mode?: number;
  /** The words of security.capability (capabilities(7)) but for the upper halves, which are 0. */
  capabilities?: readonly [magic: number, permitted: number, inheritable: number];
};

const second = 0x02000000;
/** Brings the user that is root in the namespace it is for. */
const third = 0x03000000;
const effective = 1;

/** A program file, who starts it, and what is to be said of it; nothing: it gains no privilege. */
const cases: readonly (readonly [title: string, file: File, as: readonly string[], said?: string])[] = [
  ["no bit", {}, as(nobody)],
  ["setuid root", { mode: 0o4755 }, as(nobody), "setuid root"],
  ["setuid root, started by root", { mode: 0o4755 }, []],
  ["setuid to another, started by root", { mode: 0o4755, owner: daemon }, [], "setuid 1"],
  ["setuid to who starts it", { mode: 0o4755, owner: nobody }, as(nobody)],
  ["setgid root", { mode: 0o2755 }, as(nobody), "setgid root"],
  ["setgid to another group", { mode: 0o2755, group: daemon }, as(nobody), "setgid 1"],
  ["setgid to its own group", { mode: 0o2755, group: nobody }, as(nobody)],
  ["setgid, not executable for the group: mandatory locking", { mode: 0o2745 }, as(nobody)],
  ["setuid with no_new_privs", { mode: 0o4755 }, [...as(nobody), "--no-new-privs"]],
  ["setgid with no_new_privs", { mode: 0o2755 }, [...as(nobody), "--no-new-privs"]],
  [
    "effective capabilities",
    { capabilities: [second | effective, netRawBit, 0] },
    as(nobody),
    "file capabilities",
  ],
  ["the same, started by root", { capabilities: [second | effective, netRawBit, 0] }, []],
  [
    "the same with no_new_privs, which takes them but not the mark",
    { capabilities: [second | effective, netRawBit, 0] },
    [...as(nobody), "--no-new-privs"],
    "file capabilities",
  ],
  ["permitted capabilities", { capabilities: [second, netRawBit, 0] }, as(nobody), "file capabilities"],
  [
    "capabilities that the bounding set has not",
    { capabilities: [second, chownBit, 0] },
    [...as(nobody), "--bounding-set=-chown"],
  ],
  [
    "effective capabilities of which none is permitted",
    { capabilities: [second | effective, 0, netRawBit] },
    as(nobody),
    "file capabilities",
  ],
  ["capabilities of which none is permitted", { capabilities: [second, 0, netRawBit] }, as(nobody)],
  [
    "capabilities for another user namespace",
    { capabilities: [third | effective, netRawBit, 0] },
    as(nobody),
  ],
];

describe("a program that would gain privilege by its file", { skip }, () => {
  describe("is seen as the kernel sees it (AT_SECURE)", () => {
    for (const [title, file, prefix, said] of cases)
      it(`${title}: ${said ?? "no"}`, async (t) => {
        const path = await privileged(t, file);
        assert.equal(
          ending("setpriv", [...prefix, path]).stdout,
          said === undefined ? "0\n" : "1\n",
          "the kernel",
        );
        const { stdout } = ending("setpriv", [...prefix, launcher, "run", "--dry-run", path]);
        const warning = `warning: ${path}: ${said}: the loader ignores LD_PRELOAD, it runs as TCP\n`;
        if (said === undefined) assert.match(stdout, /^way: preload\n/);
        else assert.ok(stdout.startsWith("way: none\n") && stdout.endsWith(warning), stdout);
      });

    it("on a file system that is mounted nosuid: no", async (t) => {
      const path = await privileged(t, {});
      const script = `
        mount -t tmpfs -o nosuid,mode=755 tmpfs "$1" && cp "$2" "$1/program" && chmod 4755 "$1/program"
        setpriv --reuid=65534 --clear-groups "$1/program"
        exec setpriv --reuid=65534 --clear-groups "$3" run --dry-run "$1/program"`;
      const { stdout } = ending("unshare", [
        "--mount",
        "sh",
        "-ec",
        script,
        "sh",
        openDirectory(t),
        path,
        launcher,
      ]);
      assert.match(stdout, /^0\nway: preload\n/);
    });
  });

  it("runs as TCP, with its privilege and one warning", async (t) => {
    const path = await privileged(t, { mode: 0o4755 });
    assert.deepEqual(runAsNobody("run", path), {
      code: 0,
      signal: null,
      stdout: "1\n",
      stderr: `mptcpize: ${path}: setuid root: the loader ignores LD_PRELOAD, it runs as TCP\n`,
    });
  });

  it("does not run with --strict or --how=preload: 125", async (t) => {
    const path = await privileged(t, { mode: 0o4755 });
    for (const option of ["--strict", "--how=preload"])
      assert.deepEqual(runAsNobody("run", option, path), {
        code: 125,
        signal: null,
        stdout: "",
        stderr: `mptcpize: ${path}: setuid root: the loader ignores LD_PRELOAD\n`,
      });
  });

  it("with --off runs as it is", async (t) => {
    const path = await privileged(t, { mode: 0o4755 });
    assert.match(runAsNobody("run", "--off", path).stderr, /LD_PRELOAD, it runs unchanged\n$/);
  });

  it("if static is not put under no_new_privs, unless that was asked for", async (t) => {
    const path = await privileged(t, { mode: 0o4755 }, "glibc static");
    const { stdout, stderr } = runAsNobody("run", path);
    assert.equal(stdout, "1\n");
    assert.equal(
      stderr,
      `mptcpize: ${path}: setuid root: no_new_privs would take that from it, it runs as TCP\n`,
    );
    assert.match(runAsNobody("run", "--dry-run", "--how=seccomp", path).stdout, /^way: seccomp\n/);
  });

  it("is converted nevertheless if it is Go, which reads GODEBUG all the same", (t) => {
    const content = elf({ sections: { ".go.buildinfo": goBuildInformation("go1.25.0") } });
    const path = writeProgram(join(openDirectory(t), "go"), content, 0o4755);
    assert.match(runAsNobody("run", "--dry-run", path).stdout, /^way: go\n/);
  });

  it("counts where it is the interpreter of a script", async (t) => {
    const path = await privileged(t, { mode: 0o4755 });
    const script = writeProgram(join(openDirectory(t), "script"), `#!${path}\n`, 0o4755);
    assert.match(runAsNobody("run", "--dry-run", script).stdout, /^way: none\n/);
    const plain = writeProgram(join(openDirectory(t), "script"), "#!/bin/sh\n", 0o4755);
    assert.match(runAsNobody("run", "--dry-run", plain).stdout, /^way: preload\n/);
  });
});

const setCapabilities = `
import os, struct, sys
path, *words = sys.argv[1:]
os.setxattr(path, "security.capability", struct.pack("<%dI" % len(words), *map(int, words)))
`;

function as(id: number): string[] {
  return [`--reuid=${id}`, `--regid=${id}`, "--clear-groups"];
}

function runAsNobody(...args: readonly string[]): Ending {
  return ending("setpriv", [...as(nobody), launcher, ...args]);
}

/** A copy of test/lab/programs/secure-mode.c that is such a file. */
async function privileged(
  t: TestContext,
  { owner = 0, group = 0, mode = 0o755, capabilities }: File,
  build: "glibc" | "glibc static" = "glibc",
): Promise<string> {
  const path = join(openDirectory(t), "program");
  copyFileSync(await compiled("secure-mode", build), path);
  // In this order: a change of the owner takes the bits.
  chownSync(path, owner, group);
  chmodSync(path, mode);
  if (capabilities) {
    const [magic] = capabilities;
    const words = [...capabilities, 0, 0, ...(magic >= third ? [nobody] : [])];
    assert.equal(ending("python3", ["-c", setCapabilities, path, ...words.map(String)]).stderr, "");
  }
  return path;
}
