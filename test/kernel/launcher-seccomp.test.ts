import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { closedStandardFiles, type Ending, ending, launcher, openDirectory } from "../lab/launcher.ts";
import { type Build, compiled, toolsFor } from "../lab/programs.ts";
import { ask, pair, start, supervisors } from "../lab/supervisors.ts";

const nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"] as const;
const NEWUSER = 0x10000000;
const NEWNET = 0x40000000;

/** mptcpize, with options, in front of a command. */
function seccomp(...command: readonly string[]): string[] {
  return [launcher, "run", "--how=seccomp", ...command];
}

function run([command = "", ...args]: readonly string[]): Ending {
  return ending(command, args);
}

/** What a command says that must go well. */
function output(command: readonly string[]): string {
  const { code, signal, stdout, stderr } = run(command);
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, stderr);
  return stdout.trim();
}

for (const build of ["glibc static", "musl static"] satisfies Build[]) {
  const tools = build === "musl static" ? [toolsFor.glibc, toolsFor.musl] : [toolsFor.glibc];
  describe(`mptcpize run of a program of ${build}`, { skip: requires({ tools }) }, () => {
    let sockets: string;
    before(async () => {
      sockets = await compiled("sockets", build);
    });
    const sees = (actions: string) => output(seccomp(sockets, ...actions.split(" ")));

    for (const [actions, result] of [
      ["socket 2 1 0", "fd 3 protocol 262 errno 999"],
      ["socket 2 1 6", "fd 3 protocol 262 errno 999"],
      ["socket 10 1 0", "fd 3 protocol 262 errno 999"],
      ["socket 10 1 6", "fd 3 protocol 262 errno 999"],
      ["socket 2 0x80801 0", "fd 3 protocol 262 nonblock cloexec errno 999"],
      ["socket 2 0x80001 0", "fd 3 protocol 262 cloexec errno 999"],
      ["socket 2 0x801 6", "fd 3 protocol 262 nonblock errno 999"],
    ] as const)
      it(`converts "${actions}"`, () => assert.equal(sees(actions), result));

    for (const actions of [
      "socket 2 2 0",
      "socket 2 3 6",
      "socket 1 1 0",
      "socket 1 5 0",
      "socket 2 1 132",
      "socket 2 5 132",
      "socket 2 0x11 0",
      "socket 2 0x101 0",
      "socket 99 1 0",
    ])
      it(`leaves "${actions}" alone`, () =>
        assert.equal(sees(actions), output([sockets, ...actions.split(" ")])));

    it("converts in threads, children and signal handlers", () => {
      assert.equal(sees("threads 8 200"), "1600");
      assert.equal(
        sees("fork 2 1 0 signal 2 1 0"),
        "fd 3 protocol 262 errno 999\nfd 3 protocol 262 errno 999",
      );
    });

    it("converts where a filter of the program's own, made for TCP, knows no MPTCP", () =>
      assert.equal(sees("refuse 262 93 socket 2 1 0"), "fd 3 protocol 262 errno 999"));

    it("leaves to the program what it forbids itself", () =>
      assert.equal(sees("refuse 0 13 socket 2 1 0"), "error 13"));

    it("--off turns MPTCP into TCP, and nothing else", () => {
      const off = (actions: string) =>
        output([launcher, "run", "--off", "--how=seccomp", sockets, ...actions.split(" ")]);
      assert.equal(off("socket 2 1 262"), "fd 3 protocol 6 errno 999");
      assert.equal(
        off("socket 2 1 0 socket 2 2 0"),
        output([sockets, ..."socket 2 1 0 socket 2 2 0".split(" ")]),
      );
    });

    it("-d writes the lines of the library, with the program's file number", () => {
      const { stderr } = run([
        launcher,
        "run",
        "-d",
        "--how=seccomp",
        sockets,
        "socket",
        "10",
        "0x80001",
        "6",
      ]);
      assert.match(
        stderr,
        /^mptcpwrap: changing socket protocol from 0x6 to 0x106 \(IPPROTO_MPTCP\) for family 0xa type 0x80001 fd 3$/m,
      );
    });
  });
}

describe("the seccomp supervisor", {
  skip: requires({ root: true, tools: [toolsFor.glibc, "busybox"] }),
}, () => {
  let sockets: string;
  let supervised: string;
  before(async () => {
    sockets = await compiled("sockets", "glibc static");
    supervised = await compiled("supervised", "glibc static");
  });

  it("answers in the network namespace that the caller is in by then", () => {
    const own = "protocol 262 of this namespace";
    assert.equal(output(seccomp(supervised, "unshare", "0")), own);
    assert.equal(output(seccomp(supervised, "unshare", `${NEWNET}`)), own);
    assert.equal(output(seccomp("unshare", "-n", supervised, "unshare", "0")), own);
    assert.equal(output(seccomp(supervised, "unshare", `${NEWUSER | NEWNET}`)), own);
  });

  it("does so for a user's own user namespaces", () => {
    const own = "protocol 262 of this namespace";
    assert.equal(output([...nobody, ...seccomp(supervised, "unshare", `${NEWUSER | NEWNET}`)]), own);
    assert.equal(output([...nobody, ...seccomp("unshare", "-Urn", supervised, "unshare", "0")]), own);
  });

  it("makes sockets that belong to the caller, whom it need not be allowed to trace", () => {
    const owned = "protocol 262 uid 65534 gid 65534";
    assert.equal(output(seccomp(supervised, "owner", "65534")), owned);
    const withoutTrace = ["setpriv", "--bounding-set", "-sys_ptrace,-sys_admin"];
    assert.equal(output([...withoutTrace, ...seccomp(supervised, "owner", "65534")]), owned);
  });

  it("lets the program have TCP where there is no MPTCP", () => {
    const disabled = 'sysctl -qw net.mptcp.enabled=0; exec "$@"';
    const command = [launcher, "run", "-d", "--how=seccomp", sockets, "socket", "2", "1", "0"];
    const { code, stdout, stderr } = run(["unshare", "-n", "sh", "-c", disabled, "sh", ...command]);
    assert.deepEqual({ code, stdout }, { code: 0, stdout: "fd 3 protocol 6 errno 999\n" });
    assert.match(
      stderr,
      /^mptcpwrap: refused with errno 92, keeping socket protocol 0x0 for family 0x2 type 0x1$/m,
    );
  });

  it("keeps to the program's limit of files", () => {
    const limited = [
      "prlimit",
      "--nofile=5:5",
      ...seccomp(sockets, ..."socket 2 1 0 socket 2 1 0 socket 2 1 0".split(" ")),
    ];
    assert.equal(output(limited).split("\n")[2], "error 24");
  });

  it("sets no_new_privs for those only who need it, and says so with -d", () => {
    const status = ["run", "-d", "--how=seccomp", "busybox", "grep", "NoNewPrivs", "/proc/self/status"];
    const root = run([launcher, ...status]);
    assert.equal(root.stdout, "NoNewPrivs:\t0\n");
    assert.doesNotMatch(root.stderr, /no_new_privs/);
    const user = run([...nobody, launcher, ...status]);
    assert.equal(user.stdout, "NoNewPrivs:\t1\n");
    assert.match(user.stderr, /no_new_privs/);
  });

  it("lets programs that root starts gain privilege inside, and convert as well", (t) => {
    const setuid = join(openDirectory(t), "setuid");
    copyFileSync(supervised, setuid);
    chownSync(setuid, 0, 0);
    chmodSync(setuid, 0o4755);
    const inside = seccomp(...nobody, setuid);
    assert.equal(output([...inside, "user"]), "uid 65534 euid 0");
    assert.equal(output([...inside, "owner", "7"]), "protocol 262 uid 7 gid 7");
    assert.equal(output([...nobody, ...seccomp(setuid, "user")]), "uid 65534 euid 65534");
  });

  it("leaves a program that is under another one to that", () => {
    const nested = seccomp(launcher, "run", "--strict", "--how=seccomp", sockets, "socket", "2", "1", "0");
    assert.equal(output(nested), "fd 3 protocol 262 errno 999");
    const { code, stderr } = run(seccomp(launcher, "run", "--how=seccomp", "--off", supervised, "user"));
    assert.equal(code, 125);
    assert.match(stderr, /seccomp: Device or resource busy$/m);
    assert.equal(
      output([launcher, "run", "--how=seccomp", launcher, "run", sockets, "socket", "2", "1", "0"]),
      "fd 3 protocol 262 errno 999",
    );
  });

  it("says what failed where there may be no more processes or files", () => {
    const crowded = run([...nobody, "prlimit", "--nproc=1:1", ...seccomp(supervised, "user")]);
    assert.equal(crowded.code, 125);
    assert.match(crowded.stderr, /: clone: Resource temporarily unavailable$/m);
    const full = run(["prlimit", "--nofile=4:4", ...seccomp(supervised, "user")]);
    assert.equal(full.code, 125);
    assert.match(full.stderr, /: socketpair: Too many open files$/m);
  });

  it("holds no pipe of the program, and is gone when that ends", async () => {
    assert.equal(ending("sh", ["-c", `${seccomp("busybox", "echo", "x").join(" ")} | cat`]).stdout, "x\n");
    await waitFor("no supervisor", supervisors, { until: (found) => found.length === 0 });
  });

  for (const closed of closedStandardFiles)
    it(`gives a socket the number that it would have, where standard files are closed: ${closed}`, (t) => {
      const report = join(openDirectory(t), "report");
      const made = (prefix: readonly string[]) => {
        const script = `exec ${sockets} socket 2 1 0 socket 2 1 0 >${report}`;
        const command = `${prefix.join(" ")} busybox sh -c '${script}' ${closed}`;
        assert.equal(ending("bash", ["-c", command]).code, 0);
        return readFileSync(report, "utf8");
      };
      assert.equal(made(seccomp("-d")), made(["env"]).replaceAll("protocol 6 ", "protocol 262 "));
    });

  it("works on for what the program has left behind, and no longer", async (t) => {
    // Node closes the program's standard input at the program's end.
    const fifo = join(openDirectory(t), "fifo");
    output(["mkfifo", fifo]);
    const input = openSync(fifo, "r+");
    const child = start(t, seccomp("busybox", "sh", "-c", `${supervised} until <${fifo} & exit`));
    await child.waitForLine(/^ready$/);
    await waitFor("the program's end", () => !existsSync(`/proc/${child.pid}`));
    await pair();
    writeSync(input, "x");
    await child.waitForLine(/^protocol 262$/);
    closeSync(input);
    await child.exited;
    await waitFor("no supervisor", supervisors, { until: (found) => found.length === 0 });
  });

  it("goes on while every signal that can be withstood is sent to it", async (t) => {
    const child = start(t, seccomp(supervised, "until"));
    await child.waitForLine(/^ready$/);
    const pids = (await pair()).map(({ pid }) => pid);
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGSEGV", "SIGPIPE"] as const)
      for (const pid of pids) process.kill(pid, signal);
    assert.equal(await ask(child), "protocol 262");
    assert.deepEqual(
      (await pair()).map(({ pid }) => pid),
      pids,
    );
    await child.kill();
    await waitFor("no supervisor", supervisors, { until: (found) => found.length === 0 });
  });

  it("replaces whichever of the two is killed, and nobody notices", async (t) => {
    const child = start(t, seccomp(supervised, "storm", "3"));
    await child.waitForLine(/^ready$/);
    for (let kills = 0; kills < 200; kills++) {
      const both = await pair();
      const { pid } = both[Math.floor(Math.random() * 2)] ?? assert.fail();
      process.kill(pid, "SIGKILL");
      await waitFor("its end", supervisors, { until: (found) => found.every((other) => other.pid !== pid) });
    }
    await pair();
    child.stdin.end();
    const [, mptcp, faults] = await child.waitForLine(/^mptcp (\d+) tcp \d+ (.*)$/);
    assert.ok(Number(mptcp) > 1000, child.output);
    assert.equal(faults, "foreign 0 wrong 0 left 0");
  });

  it("does without a second process where there may be none", async (t) => {
    const child = start(t, [...nobody, ...seccomp(supervised, "until")]);
    await child.waitForLine(/^ready$/);
    const [guardian, worker] = await pair();
    output([...nobody, "prlimit", "--nproc=1:", "--pid", `${guardian.pid}`]);
    process.kill(worker.pid, "SIGKILL");
    assert.equal(await ask(child), "protocol 262");
    output([...nobody, "prlimit", "--nproc=1000:", "--pid", `${guardian.pid}`]);
    assert.equal(await ask(child), "protocol 262");
    await pair();
  });

  it("leaves ENOSYS where both are killed", async (t) => {
    const child = start(t, seccomp(supervised, "until"));
    await child.waitForLine(/^ready$/);
    const both = await pair();
    for (const { pid } of both) process.kill(pid, "SIGSTOP");
    for (const { pid } of both) process.kill(pid, "SIGKILL");
    await waitFor("no supervisor", supervisors, { until: (found) => found.length === 0 });
    assert.equal(await ask(child), "error 38");
  });
});
