import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { elf, goBuildInformation } from "../lab/elf.ts";
import {
  dryRun,
  type Environment,
  ending,
  installation,
  launcher,
  library,
  openDirectory,
  writeProgram,
} from "../lab/launcher.ts";

const skip = requires();
const godebug = "GODEBUG=multipathtcp=1";

describe("the variables of mptcpize run", { skip }, () => {
  describe("LD_PRELOAD: ours comes after what the user has (upstream 0.12 drops it)", () => {
    const values: readonly (readonly [user: string, kept: string])[] = [
      ["", ""],
      ["/x/a.so", "/x/a.so:"],
      ["/x/a.so:b.so", "/x/a.so:b.so:"],
      ["/x/a.so b.so", "/x/a.so:b.so:"],
      [" : /x/$LIB/a.so:: ", "/x/$LIB/a.so:"],
      [library, ""],
      [`/x/a.so:${library}:b.so`, "/x/a.so:b.so:"],
      ["/usr/lib/x86_64-linux-gnu/mptcpize/libmptcpwrap.so.0.0.1", ""],
      ["libmptcpwrap.so a.so", "a.so:"],
      ["/libmptcpwrap.so.d/a.so:liblibmptcpwrap.so", "/libmptcpwrap.so.d/a.so:liblibmptcpwrap.so:"],
    ];
    for (const [user, kept] of values) {
      it(`"${user}"`, () => {
        const said = dryRun("true", { options: [`--env=LD_PRELOAD=${user}`] });
        assert.deepEqual(said.get("set"), [`LD_PRELOAD=${kept}${library}`, godebug]);
      });
    }
  });

  describe("GODEBUG: the user's settings stay, but for the one that it is about", () => {
    const values: readonly (readonly [user: string, kept: string])[] = [
      ["", ""],
      ["http2client=0", "http2client=0,"],
      ["multipathtcp=0", ""],
      ["a=1,multipathtcp=2,b=2", "a=1,b=2,"],
      ["a=1,,multipathtcp=0,", "a=1,"],
      ["notmultipathtcp=1,multipathtcpx=2", "notmultipathtcp=1,multipathtcpx=2,"],
    ];
    for (const [user, kept] of values) {
      it(`"${user}"`, () => {
        const said = dryRun("true", { options: [`--env=GODEBUG=${user}`] });
        assert.deepEqual(said.get("set")?.[1], `GODEBUG=${kept}multipathtcp=1`);
      });
    }
  });

  it("are the same for Go, so that what it starts is converted, too", (t) => {
    const go = elf({ sections: { ".go.buildinfo": goBuildInformation("go1.25.1") } });
    const said = dryRun(writeProgram(join(openDirectory(t), "go"), go));
    assert.deepEqual(said.get("set"), [`LD_PRELOAD=${library}`, godebug]);
  });

  it("are none for the seccomp way", (t) => {
    const said = dryRun(writeProgram(join(openDirectory(t), "static"), elf({})), { options: ["-d"] });
    assert.equal(said.get("set"), undefined);
  });

  it("-d sets MPTCPWRAP_DEBUG, without it the user's stays", () => {
    assert.deepEqual(
      dryRun("true", { options: ["-d"] })
        .get("set")
        ?.slice(2),
      ["MPTCPWRAP_DEBUG=1"],
    );
    const { MPTCPWRAP_DEBUG } = given([], { MPTCPWRAP_DEBUG: "yes" });
    assert.equal(MPTCPWRAP_DEBUG, "yes");
  });

  it("--off has Go and the library do the opposite", () => {
    const options = ["--off", "--env=GODEBUG=multipathtcp=1,a=1"];
    const [, ...set] = dryRun("true", { options }).get("set") ?? [];
    assert.deepEqual(set, ["GODEBUG=a=1,multipathtcp=0", "MPTCPWRAP_OFF=1"]);
  });

  it("an MPTCPWRAP_OFF from outside does not switch off what was asked for now", () => {
    const said = dryRun("true", { env: { MPTCPWRAP_OFF: "1" } });
    assert.deepEqual(said.get("unset"), ["MPTCPWRAP_OFF"]);
    const { MPTCPWRAP_OFF } = given([], { MPTCPWRAP_OFF: "1" });
    assert.equal(MPTCPWRAP_OFF, undefined);
  });

  it("what --dry-run says is what the program gets, and every other variable stays", () => {
    const user = { GODEBUG: "a=1", LD_PRELOAD: "", WEIRD: " a=b\n", MPTCPWRAP_OFF: "1" };
    const { MPTCPWRAP_OFF, ...others } = variables(ending("env", ["-0"], { env: user }).stdout);
    assert.equal(MPTCPWRAP_OFF, "1");
    assert.deepEqual(given(["-d"], user), {
      ...others,
      LD_PRELOAD: library,
      GODEBUG: "a=1,multipathtcp=1",
      MPTCPWRAP_DEBUG: "1",
    });
  });

  it("no variable is there twice afterwards (upstream adds a second MPTCPWRAP_DEBUG)", () => {
    const variables = ["MPTCPWRAP_DEBUG=0", "MPTCPWRAP_DEBUG=", "GODEBUG=a=1", "GODEBUG=b=1"];
    const { stdout } = ending("python3", [
      "-c",
      execute,
      launcher,
      "run",
      "-d",
      "/usr/bin/env",
      "--",
      ...variables,
    ]);
    assert.deepEqual(stdout.trimEnd().split("\n").sort(), [
      "GODEBUG=a=1,multipathtcp=1",
      `LD_PRELOAD=${library}`,
      "MPTCPWRAP_DEBUG=1",
    ]);
  });

  it("a value that cannot be shown in a line is refused by --dry-run", () => {
    const { code, stderr } = ending(launcher, [
      "run",
      "--dry-run",
      "--env=GODEBUG=a\nset: PATH=/tmp",
      "true",
    ]);
    assert.equal(code, 125);
    assert.equal(stderr, "mptcpize: the line break in set: GODEBUG= cannot be shown\n");
  });
});

describe("the library of mptcpize run", { skip }, () => {
  it("that is missing leaves the program as it is, with a warning; --strict and --how refuse", (t) => {
    const { launcher, library } = installation(t);
    rmSync(library);
    const missing = `mptcpize: /bin/sh: the library ${library}: No such file or directory`;
    const command = ["/bin/sh", "-c", "echo $LD_PRELOAD$GODEBUG; exit 3"];
    assert.deepEqual(ending(launcher, ["run", ...command]), {
      code: 3,
      signal: null,
      stdout: "\n",
      stderr: `${missing}, it runs as TCP\n`,
    });
    for (const option of ["--strict", "--how=preload"])
      assert.deepEqual(ending(launcher, ["run", option, ...command]), {
        code: 125,
        signal: null,
        stdout: "",
        stderr: `${missing}\n`,
      });
  });

  it("that is none for this machine is not loaded", (t) => {
    const { launcher, library } = installation(t);
    writeFileSync(library, "garbage");
    const { code, stderr } = ending(launcher, ["run", "/bin/sh", "-c", "exit 3"]);
    const problem = `mptcpize: /bin/sh: the library ${library}: not a library for this machine`;
    assert.deepEqual({ code, stderr }, { code: 3, stderr: `${problem}, it runs as TCP\n` });
  });

  it("that is missing does not keep Go from its variable", (t) => {
    const { directory, launcher, library } = installation(t);
    rmSync(library);
    const go = writeProgram(
      join(directory, "go"),
      elf({ sections: { ".go.buildinfo": goBuildInformation("go1.25") } }),
    );
    const { stdout } = ending(launcher, ["run", "--dry-run", go]);
    assert.match(stdout, /^way: go\n/);
    assert.match(stdout, /\nset: GODEBUG=multipathtcp=1\nwarning: [^\n]*libmptcpwrap.so: [^\n]*\n$/);
    assert.doesNotMatch(stdout, /LD_PRELOAD/);
  });

  describe("with a path that LD_PRELOAD cannot carry is not set", () => {
    for (const name of ["a b", "a:b", "a$LIB", "a\tb"])
      it(JSON.stringify(name), (t) => {
        const directory = join(openDirectory(t), name);
        mkdirSync(directory);
        const { launcher } = installation(t, directory);
        const { code, stdout, stderr } = ending(launcher, ["run", "printenv", "LD_PRELOAD"]);
        assert.deepEqual([code, stdout], [1, ""]);
        assert.match(stderr, /: LD_PRELOAD cannot carry a path with .*, it runs as TCP\n$/);
      });
  });
});

/** Executes the words before "--" with the variables behind it, and with no others. */
const execute = `
import ctypes, sys
def strings(words): return (ctypes.c_char_p * (len(words) + 1))(*map(str.encode, words), None)
end = sys.argv.index("--")
command = sys.argv[1:end]
ctypes.CDLL(None).execve(command[0].encode(), strings(command), strings(sys.argv[end + 1:]))
`;

/** The variables that a program has under `mptcpize run`. */
function given(options: readonly string[], env: Environment): Record<string, string> {
  return variables(ending(launcher, ["run", ...options, "env", "-0"], { env }).stdout);
}

/** What `env -0` writes. */
function variables(text: string): Record<string, string> {
  const lines = text.split("\0").filter((line) => line !== "");
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
}
