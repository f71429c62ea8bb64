import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { before, beforeEach, describe, it, type TestContext } from "node:test";
import { Sockets } from "../../src/kernel/sockets.ts";
import { Sysctls } from "../../src/kernel/sysctl.ts";
import { checkout } from "../../src/lab/kit/checkout.ts";
import { LabProcess } from "../../src/lab/kit/lab-process.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { cleanEnvironment, ending, launcher } from "../lab/launcher.ts";
import { compiled, source } from "../lab/programs.ts";
import { linuxWithUpdateSocketProtocol, requiresMachine } from "../lab/vm.ts";

const pins = "/sys/fs/bpf/mptcpize";
const cgroupRoot = "/sys/fs/cgroup";
/** Node starts slowly in a machine that is emulated. */
const deadlineMs = 60_000;

const TCP = 6;

const way = [launcher, "run", "--how=bpf", "--"] as const;

/**
 * Family, type and protocol of a socket, as arguments of test/lab/programs/sockets.c, and what SO_PROTOCOL says then.
 */
const tcp4 = ["socket", "2", "1", "0"];
const tcp6 = ["socket", "10", "0x80801", "6"];
const udp = ["socket", "2", "2", "0"];
const unix = ["socket", "1", "1", "0"];
const sctp = ["socket", "2", "1", "132"];

describe("mptcpize run --how=bpf", {
  skip: requiresMachine("plain", { from: linuxWithUpdateSocketProtocol }),
}, () => {
  let dynamic = "";
  before(async () => {
    dynamic = await compiled("sockets", "glibc");
  });
  beforeEach(nothingIsAttached);

  for (const build of ["glibc", "glibc static", "musl static"] as const) {
    it(`makes TCP sockets of a program MPTCP: ${build}`, async () => {
      const program = await compiled("sockets", build);
      const { stdout, stderr } = underBpf(program, ...tcp4, ...tcp6);
      assert.deepEqual([protocolsOf(stdout), stderr], [["262", "262"], ""]);
    });
  }

  it("makes those of a Go program MPTCP, which calls the kernel directly", async (t) => {
    const server = start(t, [...way, ...goServer(8001)], { GODEBUG: "multipathtcp=0" });
    await listensOn(8001);
    await end(server);
  });

  it("makes those of Python MPTCP", () => {
    const script = "import socket; print('protocol', socket.socket().getsockopt(1, 38))";
    assert.deepEqual(protocolsOf(underBpf("python3", "-c", script).stdout), ["262"]);
  });

  it("takes socket options that MPTCP refuses and that are hints, and reads them as TCP does", () => {
    const words = ["python3", "-B", source("bpf_options.py")];
    const { ends, ...answers } = factsOf(underBpf(...words, "0"));
    const { ends: endsOfTcp, ...answersOfTcp } = factsOf(ending("python3", [...words.slice(1), String(TCP)]));
    assert.deepEqual(answers, answersOfTcp);
    // 1 and 255 are no hints.
    assert.notDeepEqual(ends, endsOfTcp);
  });

  it("leaves them to the kernel with --options=refuse", () => {
    const script = "import socket; socket.socket().setsockopt(0, 2, 60)";
    const refusing = ["run", "--how=bpf", "--options=refuse", "--", "python3", "-c", script];
    assert.match(ending(launcher, refusing).stderr, /Operation not supported/);
    assert.equal(underBpf("python3", "-c", script).stderr, "");
  });

  it("reaches the children, in any number of generations", () => {
    const { stdout } = underBpf(
      "sh",
      "-c",
      `sh -c '"$@"; true' sh "$@"; true`,
      "sh",
      dynamic,
      "fork",
      "2",
      "1",
      "0",
    );
    assert.deepEqual(protocolsOf(stdout), ["262"]);
  });

  it("leaves other protocols as they are", () => {
    const { stdout } = underBpf(dynamic, ...udp, ...unix, ...sctp);
    const outside = ending(dynamic, [...udp, ...unix, ...sctp]).stdout;
    assert.equal(stdout, outside);
    assert.deepEqual(protocolsOf(stdout).slice(0, 2), ["17", "0"]);
  });

  it("leaves programs outside as they are", async (t) => {
    const inside = await startInside(t);
    assert.deepEqual(protocolsOf(ending(dynamic, [...tcp4, ...tcp6]).stdout), ["6", "6"]);
    await end(inside);
  });

  it("leaves nothing behind, whether the program ends or is killed", async (t) => {
    const inside = await startInside(t);
    const pinned = readdirSync(pins).map((name) => name.replace(/-\d+$/, "-ID"));
    assert.deepEqual(pinned.sort(), [
      ...["cgroups", "getsockopt", "getsockopt-ID", "link", "setsockopt", "setsockopt-ID"],
    ]);
    await inside.kill();
    await nothingIsAttached();
  });

  it("goes on for one program when another ends", async (t) => {
    const inside = await startInside(t);
    underBpf("true");
    await waitFor("one cgroup to be left", () => cgroupsOfRuns().length === 1, { deadlineMs });
    inside.stdin.write("again\n");
    await inside.waitForLine(/^again .*protocol 262/, { deadlineMs });
    await end(inside);
  });

  it("keeps the program's process id, its exit status and its files", () => {
    const script = "echo $$; ls /proc/self/fd; exit 7";
    const { code, stdout } = ending("sh", ["-c", `echo $$; exec "$@"`, "sh", ...way, "sh", "-c", script]);
    const [before, after, ...files] = stdout.trim().split("\n");
    assert.equal(after, before);
    // The fourth is the directory that `ls` reads.
    assert.deepEqual([files, code], [["0", "1", "2", "3"], 7]);
  });

  it("leaves the program no child and no pending signal", () => {
    const script = "cat /proc/$$/task/$$/children; echo; grep -E '^(SigPnd|ShdPnd):' /proc/$$/status";
    const { stdout } = ending("sh", ["-c", `trap '' CHLD; exec "$@"`, "sh", ...way, "sh", "-c", script]);
    const [children = "", ...pending] = stdout.split("\n");
    // The only child is the one that reads.
    assert.equal(children.trim().split(" ").length, 1);
    assert.deepEqual(
      pending.filter((line) => /[1-9a-f]$/i.test(line)),
      [],
    );
  });

  it("refuses with the reason where MPTCP is switched off: its program could not fall back to TCP", (t) => {
    const sysctls = new Sysctls();
    sysctls.setMptcp("enabled", false);
    t.after(() => sysctls.setMptcp("enabled", true));
    const { code, stderr } = underBpf("true");
    assert.equal(code, 125);
    assert.match(stderr, /^mptcpize: net\.mptcp\.enabled is 0: .*\n$/);
  });

  it("refuses users, who may not load such programs", () => {
    const user = ["--reuid=65534", "--regid=65534", "--clear-groups", ...way, "true"];
    const { code, stderr } = ending("setpriv", user);
    assert.deepEqual([code, stderr], [125, "mptcpize: BPF programs take root\n"]);
  });

  async function startInside(t: TestContext): Promise<LabProcess> {
    // `read` makes no socket, and waits.
    const script = `"$@" | sed 's/^/first /'; while read -r word; do "$@" | sed "s/^/$word /"; done`;
    const inside = start(t, [...way, "sh", "-c", script, "sh", dynamic, ...tcp4]);
    await inside.waitForLine(/^first .*protocol 262/, { deadlineMs });
    return inside;
  }
});

describe("mptcpize run before Linux 6.6", {
  skip: requiresMachine("plain", { before: linuxWithUpdateSocketProtocol }),
}, () => {
  it("refuses --how=bpf with the reason", () => {
    const { code, stderr } = underBpf("true");
    assert.equal(code, 125);
    assert.match(
      stderr,
      /^mptcpize: this kernel has no update_socket_protocol: it takes Linux 6\.6 or newer\n$/,
    );
    assert.deepEqual([cgroupsOfRuns(), existsSync(pins)], [[], false]);
  });

  for (const build of ["glibc", "glibc static", "musl static"] as const) {
    it(`finds another way by itself: ${build}`, async () => {
      const { stdout } = ending(launcher, ["run", await compiled("sockets", build), ...tcp4, ...tcp6]);
      assert.deepEqual(protocolsOf(stdout), ["262", "262"]);
    });
  }
});

function underBpf(...command: readonly string[]) {
  const [program, ...args] = way;
  return ending(program, [...args, ...command]);
}

function start(
  t: TestContext,
  [command = "", ...args]: readonly string[],
  variables: Record<string, string> = {},
): LabProcess {
  const child = new LabProcess(command, args, { env: { ...cleanEnvironment, ...variables } });
  t.after(() => child.kill());
  return child;
}

/** Its input ends, and so does it. */
async function end(child: LabProcess): Promise<void> {
  child.stdin.end();
  await child.stop();
}

function factsOf({ stdout, stderr }: { stdout: string; stderr: string }): Record<string, unknown> {
  assert.equal(stderr, "");
  return JSON.parse(stdout);
}

function protocolsOf(output: string): string[] {
  return [...output.matchAll(/protocol (\d+)/g)].map(([, protocol = ""]) => protocol);
}

/** A static Go program that is at hand. */
function goServer(port: number): string[] {
  return [join(checkout, "node_modules/@esbuild/linux-x64/bin/esbuild"), `--serve=127.0.0.1:${port}`];
}

async function listensOn(port: number): Promise<void> {
  const sockets = Sockets.open();
  try {
    await waitFor(
      `an MPTCP listener on port ${port}`,
      async () => (await sockets.dumpListeners()).some(({ local }) => local.port === port),
      { deadlineMs },
    );
  } finally {
    sockets.close();
  }
}

function cgroupsOfRuns(): string[] {
  return readdirSync(cgroupRoot).filter((name) => name.startsWith("mptcpize-"));
}

async function nothingIsAttached(): Promise<void> {
  await waitFor("nothing to be left", () => cgroupsOfRuns().length === 0 && !existsSync(pins), {
    deadlineMs,
  });
}
