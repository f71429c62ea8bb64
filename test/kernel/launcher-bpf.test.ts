import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { codeOf } from "../../src/base/errors.ts";
import { Cgroups } from "../../src/kernel/cgroups.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { closedStandardFiles, ending, installation, writeProgram } from "../lab/launcher.ts";

/** The launcher's part of the BPF way, with a stand-in for Node; the program in the kernel: test/vm/bpf.test.ts. */
describe("mptcpize run --how=bpf", { skip: requires({ root: true }) || hasNoCgroups() }, () => {
  it("runs the program in the cgroup that Node made, with the process id that it had", (t) => {
    const { run, cgroup } = prepare(t);
    const script = `echo $$; exec "$@"`;
    const { code, stdout, stderr } = run(
      ["sh", "-c", script, "sh"],
      ["sh", "-c", "echo $$; cat /proc/$$/cgroup; exit 7"],
    );
    const [before, after, ...cgroups] = stdout.split("\n");
    assert.deepEqual([code, stderr, after], [7, "", before]);
    assert(
      cgroups.some((line) => line.startsWith("0::") && cgroup.endsWith(line.slice("0::".length))),
      stdout,
    );
  });

  it("removes the cgroup when the program has ended, and has it swept out", async (t) => {
    const { run, cgroup, calls } = prepare(t);
    const { stdout } = run([], ["sh", "-c", "echo $$"]);
    await waitFor("the cgroup to go", () => !existsSync(cgroup));
    await waitFor("the sweep", () => calls().length === 2);
    assert.deepEqual(calls(), [`attach --pid ${stdout.trim()}`, "attach --sweep"]);
  });

  for (const closed of closedStandardFiles)
    it(`does so for a program whose standard files are closed by ${closed}`, async (t) => {
      const { run, cgroup, calls } = prepare(t);
      run(["sh", "-c", `exec "$@" ${closed}`, "sh"], ["true"]);
      await waitFor("the cgroup to go", () => !existsSync(cgroup));
      await waitFor("the sweep", () => calls().at(-1) === "attach --sweep");
    });

  it("waits for the last of the program's children, and holds none of its pipes meanwhile", async (t) => {
    const { run, cgroup } = prepare(t);
    // That this ends at all shows that its output has ended.
    const child = "sleep 1000 </dev/null >/dev/null 2>&1 5>&- & echo $!";
    const { stdout } = run(["sh", "-c", `exec "$@" 5>&1`, "sh"], ["sh", "-c", child]);
    assert.equal(existsSync(cgroup), true);
    process.kill(Number(stdout), "SIGKILL");
    await waitFor("the cgroup to go", () => !existsSync(cgroup));
  });

  for (const disposition of ["default", "ignore", "block"])
    it(`leaves the program no child, no file and no pending signal: SIGCHLD ${disposition}`, (t) => {
      const { run } = prepare(t);
      // The first by the shell itself: a child would leave a signal, too.
      const pending = `while read -r line; do case $line in S??Pnd*) echo "$line";; esac; done </proc/$$/status`;
      const script = `${pending}; wc -w </proc/$$/task/$$/children; ls /proc/self/fd`;
      const environment = ["env", `--${disposition}-signal=CHLD`];
      const plain = ending("env", [...environment.slice(1), "sh", "-c", script]);
      assert.equal(run(environment, ["sh", "-c", script]).stdout, plain.stdout);
    });

  it("tells Node of -d, and of socket options that are left to the kernel", async (t) => {
    const { run, calls } = prepare(t);
    const words: string[] = [];
    for (const options of [["-d"], ["--options=refuse"], ["-d", "--options=refuse"], ["--options=tcp"]]) {
      const { stdout } = run([], ["sh", "-c", "echo $$"], options);
      words.push(`attach --pid ${stdout.trim()}`);
    }
    const attached = calls().filter((call) => call !== "attach --sweep");
    assert.deepEqual(
      attached.map((call, index) => call.replace(words[index] ?? "", "").trim()),
      ["--debug", "--refuse-options", "--debug --refuse-options", ""],
    );
  });

  it("runs nothing where Node refuses, which has said why", (t) => {
    const { run } = prepare(t, "echo 'mptcpize: this kernel is too old' >&2; exit 1");
    const { code, stdout, stderr } = run([], ["echo", "ran"]);
    assert.deepEqual([code, stdout, stderr], [125, "", "mptcpize: this kernel is too old\n"]);
  });

  it("says so where there is no Node", (t) => {
    const { run, node } = prepare(t);
    rmSync(node);
    const { code, stdout, stderr } = run([], ["echo", "ran"]);
    assert.deepEqual([code, stdout], [125, ""]);
    assert.match(stderr, /^mptcpize: \S*node was not found: .*\n$/);
  });
});

type Prepared = {
  /** Runs a command under the launcher, that under another. */
  run(
    prefix: readonly string[],
    command: readonly string[],
    options?: readonly string[],
  ): ReturnType<typeof ending>;
  readonly cgroup: string;
  readonly node: string;
  /** What Node was called for. */
  calls(): string[];
};

function prepare(t: TestContext, attach?: string): Prepared {
  const { directory, launcher, node } = installation(t);
  const cgroup = join(new Cgroups().of("self"), `mptcpize-test-${randomUUID()}`);
  const log = join(directory, "calls");
  const move = `mkdir ${cgroup} && echo "$4" >${cgroup}/cgroup.procs && echo ${cgroup}`;
  writeProgram(
    node,
    `#!/bin/sh\nshift\necho "$*" >>${log}\nset -- x "$@"\ncase "$3" in --pid) ${attach ?? move};; esac\n`,
  );
  t.after(() => removeCgroup(cgroup));
  return {
    run: (prefix, command, options = []) => {
      const words = ["run", "--how=bpf", ...options, "--", ...command];
      const [program = "", ...args] = [...prefix, launcher, ...words];
      return ending(program, args, { env: { MPTCPD_NODE: node } });
    },
    cgroup,
    node,
    calls: () => readFileSync(log, "utf8").trim().split("\n"),
  };
}

/** With what still runs in it, where a test failed. The launcher may be about to remove it, too. */
async function removeCgroup(directory: string): Promise<void> {
  unlessGone(() => writeFileSync(join(directory, "cgroup.kill"), "1"));
  await waitFor(`${directory} to be removed`, () => {
    unlessGone(() => rmdirSync(directory));
    return true;
  });
}

function unlessGone(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}

function hasNoCgroups(): string | false {
  try {
    new Cgroups();
    return false;
  } catch (error) {
    return error instanceof Error && error.message;
  }
}
