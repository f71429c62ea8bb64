import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { version } from "../../../../src/base/version.ts";
import { type Commands, runProgram } from "../../../../src/programs/mptcpize/command-line.ts";
import { CommandError, endingOf, UsageError } from "../../../../src/programs/mptcpize/output.ts";

type Call = readonly [command: string, ...rest: unknown[]];

/** Runs a command line on commands that only note how they were called. */
async function run(line: string, exitCode = 0) {
  const calls: Call[] = [];
  let stdout = "";
  let stderr = "";
  const note =
    (command: string) =>
    async (...rest: unknown[]) => {
      calls.push([
        command,
        ...rest.slice(0, -1).map((value) => (Array.isArray(value) ? value : { ...Object(value) })),
      ]);
      return exitCode;
    };
  const commands: Commands = {
    enable: note("enable"),
    disable: note("disable"),
    status: note("status"),
    attach: note("attach"),
  };
  const code = await runProgram(
    line.split(" ").filter((word) => word !== ""),
    commands,
    {
      write: (text) => {
        stdout += text;
      },
      writeError: (text) => {
        stderr += text;
      },
      warn: (message) => {
        stderr += `mptcpize: ${message}\n`;
      },
    },
  );
  return { code, calls, stdout, stderr };
}

async function refuses(line: string, exitCode: number, message: RegExp) {
  await assert.rejects(run(line), (error) => {
    assert.ok(error instanceof UsageError, String(error));
    assert.equal(error.exitCode, exitCode, line);
    assert.match(error.message, message);
    return true;
  });
}

describe("mptcpize's command line", () => {
  it("takes several units, and options before and after them", async () => {
    const options = {
      user: true,
      now: true,
      dryRun: true,
      force: true,
      repair: true,
      runtime: true,
      how: "bpf",
    };
    const line = "enable --user --now a.service --dry-run --force b@c --repair --runtime --how=bpf";
    assert.deepEqual((await run(line)).calls, [["enable", ["a.service", "b@c"], options]]);
    assert.deepEqual((await run("disable nginx")).calls, [["disable", ["nginx"], {}]]);
    assert.deepEqual((await run("disable -- -x.service")).calls, [["disable", ["-x.service"], {}]]);
  });

  it("passes on what status and attach are for", async () => {
    assert.deepEqual((await run("status")).calls, [["status", [], {}]]);
    assert.deepEqual((await run("status --json nginx 17")).calls, [
      ["status", ["nginx", "17"], { json: true }],
    ]);
    assert.deepEqual((await run("attach --pid 17")).calls, [["attach", { pid: "17" }]]);
  });

  it("exits as the command says", async () => {
    assert.equal((await run("enable a", 1)).code, 1);
    assert.equal((await run("enable a")).code, 0);
  });

  it("prints help, usage and version to standard output, and exits with 0, as the C mptcpize does", async () => {
    for (const line of ["-?", "--help", "help"]) {
      const { stdout, stderr, code } = await run(line);
      assert.match(stdout, /^Usage: mptcpize /, line);
      for (const command of ["run", "enable", "disable", "status"])
        assert.match(stdout, new RegExp(`^ +${command} `, "m"));
      assert.doesNotMatch(stdout, /attach/);
      assert.deepEqual([stderr, code], ["", 0]);
    }
    assert.match((await run("--usage")).stdout, /^Usage: mptcpize \[-\?V\]/);
    for (const line of ["-V", "--version"]) assert.equal((await run(line)).stdout, `mptcpize ${version}\n`);
  });

  it("does nothing but print the usage where --usage stands, wherever it stands", async () => {
    for (const line of [
      "enable --usage nginx",
      "--usage enable nginx",
      "disable nginx --usage",
      "--usage foo",
    ]) {
      const { calls, code, stdout, stderr } = await run(line);
      assert.deepEqual([calls, code, stderr], [[], 0, ""], line);
      assert.match(stdout, /^Usage: mptcpize \[-\?V\].*\n$/, line);
    }
  });

  it("prints the help of a command, of run too", async () => {
    assert.match((await run("help enable")).stdout, /^Usage: mptcpize enable \[OPTION\.\.\.\] UNIT\.\.\.\n/);
    assert.match((await run("run --help")).stdout, /^Usage: mptcpize run .* --strict/s);
  });

  it("prints the help to standard error when nothing is said, and exits with 0", async () => {
    const { stdout, stderr, code } = await run("");
    assert.deepEqual([stdout, code], ["", 0]);
    assert.match(stderr, /^Usage: mptcpize /);
  });

  it("exits with 255 and the help when the unit is missing", async () => {
    for (const line of ["enable", "disable", "enable --now"]) {
      const { calls, code, stderr } = await run(line);
      assert.deepEqual([calls, code], [[], 255], line);
      assert.match(stderr, /^mptcpize: missing unit argument\nUsage: mptcpize /);
    }
  });

  it("exits with 255 for a command that there is not", () => refuses("foo", 255, /^unknown arg foo$/));

  it("says which command or option was probably meant", async () => {
    await refuses("statsu", 255, /^unknown arg statsu \(did you mean status\?\)$/);
    await refuses("enable --runtme x", 64, /^unknown option '--runtme' \(did you mean --runtime\?\); /);
  });

  it("exits with 64 for an option or a way that there is not", async () => {
    await refuses("--bogus", 64, /'--bogus'.*mptcpize --help/);
    await refuses("-x", 64, /'-x'/);
    await refuses("enable --bogus nginx", 64, /'--bogus'; `mptcpize enable --help`/);
    await refuses(
      "enable --how=magic nginx",
      64,
      /auto, preload, seccomp, bpf; `mptcpize enable --help` shows what is allowed$/,
    );
  });

  it("leaves run to the launcher", async () => {
    await assert.rejects(run("run true"), (error) => error instanceof CommandError);
  });
});

describe("an ending of mptcpize", () => {
  it("is one line for what was refused, and the stack for faults of its own", () => {
    assert.deepEqual(endingOf(new CommandError("X", "two\n  lines\n")), { exitCode: 1, line: "two lines" });
    assert.deepEqual(endingOf(new UsageError("unknown arg x", 255)), {
      exitCode: 255,
      line: "unknown arg x",
    });
    assert.match(endingOf(new TypeError("oops")).line ?? "", /^internal error: TypeError: oops\n {4}at /);
  });

  it("is silent when the reader of a pipe has gone", () => {
    const error = Object.assign(new Error("write EPIPE"), { code: "EPIPE" });
    assert.deepEqual(endingOf(error), { exitCode: 0, line: undefined });
  });
});
