import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Lab } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { elf } from "../lab/elf.ts";
import {
  closedStandardFiles,
  ending,
  installation,
  launcher,
  openDirectory,
  writeProgram,
} from "../lab/launcher.ts";
import { type Build, compiled, toolsFor } from "../lab/programs.ts";

const skip = requires({ root: true, tools: ["busybox", "setpriv", "unshare", toolsFor.glibc] });

describe("mptcpize run", { skip }, () => {
  it("says in one line that it cannot find its files where /proc is not mounted", () => {
    const without = (...words: readonly string[]) =>
      ending("unshare", [
        "--mount",
        "sh",
        "-c",
        'mount -t tmpfs none /proc && exec "$@"',
        "sh",
        launcher,
        ...words,
      ]);
    const why = "mptcpize cannot find its own files, as /proc is not mounted: mount it first";
    const { stderr } = without("run", "--how=preload", "true");
    // The sanitizer has its own difficulties there.
    const lines = stderr.split("\n").filter((line) => line.startsWith("mptcpize: "));
    assert.deepEqual(lines, [`mptcpize: /usr/bin/true: ${why}`]);
    assert.doesNotMatch(stderr, /the library/);
  });

  describe("the program keeps, by every way, all that it would have without", () => {
    const shells = { preload: ["/bin/bash"], seccomp: ["/bin/busybox", "sh"] };
    const facts = {
      "its open files, and no other":
        "for fd in /proc/self/fd/*; do echo $fd $(readlink $fd); done | grep -v /proc/",
      "signals that are ignored, and blocked": "grep -E '^(Sig(Blk|Ign|Cgt)|ShdPnd)' /proc/self/status",
      "its limits": "cat /proc/self/limits",
      "the umask": "umask",
      "its directory": "pwd; readlink /proc/self/cwd",
      "its session, parent and threads": "grep -E '^(PPid|Threads|NSsid|TracerPid)' /proc/self/status",
      "its priority and where it may run":
        "grep -E 'Cpus_allowed:|Mems' /proc/self/status; cut -d' ' -f18,19 /proc/self/stat",
      "its exit status": "exit 37",
      "being killed": "kill -KILL $$",
      "its children, which are none": "cat /proc/$$/task/$$/children",
    };
    for (const [way, shell] of Object.entries(shells))
      for (const [fact, script] of Object.entries(facts))
        it(`${way}: ${fact}`, () => {
          const command = [...shell, "-c", script];
          const { stderr: said, ...actual } = oddly([launcher, "run", "-d", `--how=${way}`, ...command]);
          const { stderr, ...expected } = oddly(command);
          assert.deepEqual(actual, expected);
          assert.match(said, /^mptcpize: /);
        });

    for (const [way, shell] of Object.entries(shells))
      it(`${way}: its process`, () => {
        const run = `exec ${launcher} run --how=${way} ${shell.join(" ")} -c 'echo $$'`;
        const [before, after] = ending("bash", ["-c", `echo $$; ${run}`]).stdout.split("\n");
        assert.equal(after, before);
      });

    it("what systemd hands over: LISTEN_FDS and LISTEN_PID are true still", () => {
      const report = "test $LISTEN_PID = $$ && readlink /proc/$$/fd/3";
      const run = `export LISTEN_PID=$$ LISTEN_FDS=1; exec 3</etc/passwd ${launcher} run sh -c '${report}'`;
      assert.equal(ending("bash", ["-c", run]).stdout, "/etc/passwd\n");
    });

    for (const [way, shell] of Object.entries(shells))
      for (const closed of closedStandardFiles)
        it(`${way}: its standard files, closed by ${closed}`, (t) => {
          const report = join(openDirectory(t), "report");
          const facts = `ls /proc/$$/fd >${report}`;
          const reported = (prefix: string) => {
            const command = `${prefix} ${shell.join(" ")} -c '${facts}' ${closed}`;
            assert.equal(ending("bash", ["-c", command]).code, 0);
            return readFileSync(report, "utf8");
          };
          assert.equal(reported(`${launcher} run -d --how=${way}`), reported("env"));
        });

    it("its life, where nobody reads a warning any more", () => {
      const script = `exec 2> >(:); wait $!; ${launcher} run -d sh -c 'exit 9'; echo $?`;
      assert.equal(ending("bash", ["-c", script]).stdout, "9\n");
    });
  });

  it("gives the arguments as they are, and the name as execvp(3) does or as --argv0 says", () => {
    const report = ["bash", "-c", 'tr "\\0" "|" </proc/$$/cmdline', "", "a b", "-d", "--", "$x"];
    assert.equal(ending(launcher, ["run", ...report]).stdout, `${report.join("|")}|`);
    assert.equal(ending(launcher, ["run", "--", ...report]).stdout, `${report.join("|")}|`);
    const [, ...others] = report;
    const named = ending(launcher, ["run", "--argv0=-login name", ...report]).stdout;
    assert.equal(named, `${["-login name", ...others].join("|")}|`);
  });

  describe("finds and executes as execvp(3) does, by which env(1) does it", () => {
    type Case = { files: (directory: string) => void; name: string; path?: string };
    const hello = "#!/bin/sh\necho hello $0 $*\n";
    const cases: Readonly<Record<string, Case>> = {
      "the first in the PATH that may be executed": {
        files: (d) => {
          for (const name of ["a", "b", "c", "d"]) mkdirSync(join(d, name));
          mkdirSync(join(d, "a/x"));
          writeProgram(join(d, "b/x"), hello, 0o644);
          writeProgram(join(d, "c/x"), hello);
          writeProgram(join(d, "d/x"), "#!/bin/sh\necho wrong\n");
        },
        name: "x",
        path: "no:a:b:c:d",
      },
      "one that must not be executed: 126": {
        files: (d) => writeProgram(join(d, "x"), hello, 0o644),
        name: "x",
        path: "no:.:nor",
      },
      "none: 127": { files: () => {}, name: "x", path: "." },
      "an empty name: 127": { files: () => {}, name: "" },
      "an empty entry of the PATH, which is the current directory": {
        files: (d) => writeProgram(join(d, "x"), hello),
        name: "x",
        path: "/no:",
      },
      "an empty PATH, which is that, too": {
        files: (d) => writeProgram(join(d, "x"), hello),
        name: "x",
        path: "",
      },
      "a file in the place of a directory": {
        files: (d) => {
          writeProgram(join(d, "file"), "");
          writeProgram(join(d, "x"), hello);
        },
        name: "x",
        path: "file:.",
      },
      "a path, which is not looked for": {
        files: (d) => writeProgram(join(d, "x"), hello),
        name: "./x",
        path: "/bin",
      },
      "a directory: 126": { files: (d) => mkdirSync(join(d, "x")), name: "./x" },
      "a link to nothing: 127": { files: (d) => symlinkSync("nothing", join(d, "x")), name: "./x" },
      "a link to itself: 126": { files: (d) => symlinkSync("x", join(d, "x")), name: "./x" },
      "a script without #!, for the shell": {
        files: (d) => writeProgram(join(d, "x"), "echo hello $0 $*"),
        name: "./x",
      },
      "an empty file, for the shell": { files: (d) => writeProgram(join(d, "x"), ""), name: "x", path: "." },
      "an interpreter that is not there: 127": {
        files: (d) => writeProgram(join(d, "x"), "#!/nope -x\n"),
        name: "./x",
      },
      "an interpreter that must not be executed: 126": {
        files: (d) => {
          writeProgram(join(d, "sh"), hello, 0o644);
          writeProgram(join(d, "x"), "#!./sh\n");
        },
        name: "./x",
      },
    };
    for (const [title, { files, name, path }] of Object.entries(cases))
      it(title, (t) => {
        const directory = openDirectory(t);
        files(directory);
        const inPlace = { cwd: directory, env: path === undefined ? {} : { PATH: path } };
        const { stderr, ...actual } = ending(launcher, ["run", name, "1", "2 3"], inPlace);
        const { stderr: _, ...expected } = ending("/usr/bin/env", [name, "1", "2 3"], inPlace);
        assert.deepEqual(actual, expected);
        assert.match(
          stderr,
          actual.code === 0 ? /^$/ : /^mptcpize: .+\n$/,
          "one line (upstream says nothing)",
        );
        const dry = ending(launcher, ["run", "--dry-run", name], inPlace);
        assert.deepEqual([dry.code, dry.stderr], [actual.code, stderr]);
      });

    it("without a PATH, in /bin and /usr/bin", () => {
      const command = `unset PATH; exec ${launcher} run`;
      assert.equal(ending("/bin/bash", ["-c", `${command} echo found`]).stdout, "found\n");
      assert.equal(ending("/bin/bash", ["-c", `${command} nginx-nowhere`]).code, 127);
    });

    it("a loader that is not there is named (the kernel's error is that of the program)", async (t) => {
      const path = writeProgram(join(openDirectory(t), "x"), elf({ loader: "/lib/ld-nowhere.so" }));
      const { code, stderr } = ending(launcher, ["run", path]);
      assert.equal(code, 127);
      assert.equal(
        stderr,
        `mptcpize: ${path}: its interpreter /lib/ld-nowhere.so: No such file or directory\n`,
      );
    });
  });
});

describe("what mptcpize run makes of a program's sockets", { skip }, () => {
  const mptcp = 262;
  const [tcp, inet, stream] = ["6", "2", "1"];
  const ways: Readonly<Record<string, Build>> = { preload: "glibc", seccomp: "glibc static" };
  for (const [way, build] of Object.entries(ways)) {
    it(`${way}: MPTCP instead of TCP`, async () => {
      const { stdout } = ending(launcher, [
        "run",
        await compiled("sockets", build),
        "socket",
        inet,
        stream,
        tcp,
      ]);
      assert.match(stdout, /^fd 3 protocol 262 /);
    });

    it(`${way}, --off: TCP instead of MPTCP`, async () => {
      const command = [await compiled("sockets", build), "socket", inet, stream, `${mptcp}`];
      assert.match(ending(launcher, ["run", "--off", ...command]).stdout, /^fd 3 protocol 6 /);
    });
  }

  describe("where no supervisor can be, as under one that does the opposite", () => {
    const nested = ["run", "--off", "/bin/busybox", "sh", "-c", `${launcher} run "$@"; echo $?`, "sh"];

    it("it runs nevertheless, with a warning", () => {
      const { stdout, stderr } = ending(launcher, [...nested, "/bin/busybox", "echo", "ran"]);
      assert.equal(stdout, "ran\n0\n");
      assert.match(stderr, /^mptcpize: \/bin\/busybox: no seccomp supervisor: .*busy, it runs as TCP\n$/);
    });

    it("--strict and --how=seccomp refuse: 125", () => {
      for (const option of ["--strict", "--how=seccomp"])
        assert.equal(ending(launcher, [...nested, option, "/bin/busybox", "echo", "ran"]).stdout, "125\n");
    });
  });

  it("-d says once that no_new_privs had to be set, and what that breaks", () => {
    const command = [launcher, "run", "-d", "/bin/busybox", "true"];
    const asNobody = ending("setpriv", ["--reuid=65534", "--clear-groups", ...command]);
    assert.equal(asNobody.stderr.match(/no_new_privs had to be set: .*sudo/g)?.length, 1);
    assert.doesNotMatch(ending(launcher, command.slice(1)).stderr, /no_new_privs/);
    const quiet = command.filter((word) => word !== "-d");
    assert.equal(ending("setpriv", ["--reuid=65534", "--clear-groups", ...quiet]).stderr, "");
  });

  it("--strict refuses what would or may be TCP", async () => {
    const lab = await Lab.create();
    try {
      const host = await lab.host("without");
      await host.sysctl("net.mptcp.enabled", 0);
      const inHost = ["nsenter", `--net=${host.path}`, "--", launcher, "run", "--strict"];
      for (const program of ["/bin/busybox", "/bin/sh"])
        assert.deepEqual(ending("env", ["-u", "LD_PRELOAD", ...inHost, program, "-c", "true"]), {
          code: 125,
          signal: null,
          stdout: "",
          stderr: `mptcpize: ${program}: net.mptcp.enabled is 0\n`,
        });
    } finally {
      await lab.close();
    }
    const static_ = ending(launcher, ["run", "--strict", "--how=preload", "/bin/busybox", "true"]);
    assert.equal(static_.code, 125);
    assert.equal(static_.stderr, "mptcpize: /bin/busybox: LD_PRELOAD does not reach it\n");
  });

  it("--how=preload of a static program says whom that reaches", () => {
    const { code, stdout, stderr } = ending(launcher, ["run", "--how=preload", "/bin/busybox", "env"]);
    assert.equal(code, 0);
    assert.match(stdout, /^LD_PRELOAD=.*libmptcpwrap\.so$/m);
    assert.equal(stderr, "mptcpize: /bin/busybox: LD_PRELOAD reaches only programs that it starts\n");
  });
});

describe("the command line of mptcpize run", { skip }, () => {
  const mistakes: readonly (readonly [code: number, message: string, ...args: string[]])[] = [
    [64, "unrecognized option '--bogus': see `mptcpize run --help`", "--bogus", "true"],
    [64, "unrecognized option '-x': see `mptcpize run --help`", "-dx", "true"],
    [64, "unrecognized option '--strict=1': see `mptcpize run --help`", "--strict=1", "true"],
    [64, "option '--how' needs an argument: see `mptcpize run --help`", "--how"],
    [64, "--how=magic is unknown: allowed are auto, preload, seccomp, bpf", "--how=magic", "true"],
    [64, "--env is for --dry-run: use env(1)", "--env=A=1", "true"],
    [64, "--env=A is not NAME=VALUE", "--dry-run", "--env=A", "true"],
    [64, "--env==A is not NAME=VALUE", "--dry-run", "--env==A", "true"],
    [125, "bpf cannot force TCP", "--off", "--how=bpf", "true"],
    [64, "unrecognized option '--help=x': see `mptcpize run --help`", "--help=x", "true"],
    [127, "the name of the program is empty", ""],
    [255, "missing command argument: see `mptcpize run --help`"],
    [255, "missing command argument: see `mptcpize run --help`", "-d", "--"],
  ];
  for (const [code, message, ...args] of mistakes)
    it(`run ${args.join(" ")}: ${code}`, () => {
      const outcome = ending(launcher, ["run", ...args]);
      assert.deepEqual(outcome, { code, signal: null, stdout: "", stderr: `mptcpize: ${message}\n` });
    });

  it("takes options before the program only, and what follows -- as a program", () => {
    assert.equal(ending(launcher, ["run", "echo", "-d", "--how=x"]).stdout, "-d --how=x\n");
    assert.match(ending(launcher, ["run", "--", "-d"]).stderr, /^mptcpize: -d: No such file/);
  });

  it("-d says on standard error what the program is and the way that was taken", () => {
    const { code, stderr } = ending(launcher, ["run", "-d", "/bin/true"]);
    assert.deepEqual([code, stderr], [0, "mptcpize: /bin/true: dynamically linked, glibc: preload\n"]);
    const static_ = ending(launcher, ["run", "-d", "/bin/busybox", "true"]);
    assert.equal(static_.stderr.split("\n")[0], "mptcpize: /bin/busybox: statically linked: seccomp");
  });

  it("-d says where the kernel gives no MPTCP; without it nothing is said", () => {
    const run = (option: string) =>
      ending("unshare", [
        "--net",
        "sh",
        "-c",
        `echo 0 >/proc/sys/net/mptcp/enabled; ${launcher} run ${option} true`,
      ]);
    assert.match(run("-d").stderr, /: preload\nmptcpize: net\.mptcp\.enabled is 0: sockets are TCP\n$/);
    assert.deepEqual(run(""), { code: 0, signal: null, stdout: "", stderr: "" });
  });
});

describe("every other command of mptcpize is Node's", { skip }, () => {
  const commands: Readonly<Record<string, readonly string[]>> = {
    "": [],
    "enable nginx": ["enable", "nginx"],
    "--version": ["--version"],
    "status a b": ["status", "a b"],
  };
  for (const [title, args] of Object.entries(commands))
    it(`mptcpize ${title}`, (t) => {
      const { launcher, node, script } = installation(t);
      const { code, stdout } = ending(launcher, args, { env: { MPTCPD_NODE: node } });
      assert.equal(stdout, `${[script, ...args, `launcher: ${launcher}`].join("\n")}\n`);
      assert.equal(code, 5);
    });

  it("and the help of run", (t) => {
    const { launcher, node, script } = installation(t);
    for (const option of ["--help", "-h"]) {
      const { stdout } = ending(launcher, ["run", "-d", option, "x"], { env: { MPTCPD_NODE: node } });
      assert.equal(stdout, `${[script, "run", "--help", `launcher: ${launcher}`].join("\n")}\n`);
    }
  });

  it("through links, and by the node in the PATH", (t) => {
    const { directory, launcher } = installation(t);
    symlinkSync("mptcpize", join(directory, "link"));
    const { stdout } = ending(join(directory, "link"), ["x"], {
      env: { PATH: `${directory}:/usr/bin:/bin` },
    });
    assert.match(stdout, new RegExp(`^${directory}/mptcpize\\.js\nx\nlauncher: ${launcher}\n$`));
  });

  it("which may be missing, or the script: one line, 127", (t) => {
    const { launcher, script } = installation(t);
    const env = { MPTCPD_NODE: "/no/node" };
    const { code, stderr } = ending(launcher, ["status"], { env });
    assert.equal(code, 127);
    assert.equal(
      stderr,
      "mptcpize: /no/node: No such file or directory: all but `mptcpize run` needs Node.js (MPTCPD_NODE names another)\n",
    );
    rmSync(script);
    assert.match(
      ending(launcher, ["status"], { env }).stderr,
      /^mptcpize: .*\/mptcpize\.js: No such file .*npm run build`\n$/,
    );
  });
});

/** Runs a command with files open, signals ignored and blocked, limits and a priority as no shell gives them. */
function oddly(command: readonly string[]) {
  const set = 'umask 027; ulimit -n 123 -c 0; exec 5</etc/passwd 9>/dev/null; cd /usr/share; exec "$@"';
  const prefix = [
    "--ignore-signal=USR1",
    "--block-signal=HUP,CHLD",
    "nice",
    "-n1",
    "bash",
    "-c",
    set,
    "bash",
  ];
  return ending("env", [...prefix, ...command]);
}
