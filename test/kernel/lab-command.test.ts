import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { checkout } from "../../src/lab/kit/checkout.ts";
import { type Exit, LabProcess } from "../../src/lab/kit/lab-process.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { defaultDeadlineMs, eventually, within } from "../../src/lab/kit/wait.ts";

const patience = { deadlineMs: defaultDeadlineMs };

describe("npm run lab", { skip: requires(), concurrency: 3 }, () => {
  it("runs a command as the client, and exits with its status", async (t) => {
    const { lines, exit } = await ended(t, "sh", "-c", "ip -br addr; exit 7");
    assert.deepEqual(exit, { code: 7, signal: null });
    assert.match(lines.join("\n"), /^eth1@\S+ +UP +10\.0\.1\.2\/24 fd00:1::2\/64/m);
    assert.match(lines.join("\n"), /^eth2@\S+ +UP +10\.0\.2\.2\/24 fd00:2::2\/64/m);
    assert.doesNotMatch(lines.join("\n"), /You are/, "only the command speaks");
  });

  it("exits with 128 + N where a signal ends the command, and with 127 where there is none", async (t) => {
    const { exit } = await ended(t, "sh", "-c", "kill -KILL $$");
    assert.equal(exit.code, 137);
    const none = await ended(t, "/no-such-command");
    assert.equal(none.exit.code, 127);
    assert.match(none.lines.join(), /no-such-command/);
  });

  it("has this checkout's programs and Node in the PATH, and the commands connect and server", async (t) => {
    const { lines } = await ended(
      t,
      "sh",
      "-c",
      "for i in mptcpd mptcpctl mptcpize node; do readlink $(command -v $i); done; command -v connect; command -v server",
    );
    const programs = ["mptcpd", "mptcpctl", "mptcpize"].map((name) => join(checkout, "bin", name));
    assert.deepEqual(lines.slice(0, 4), [...programs, process.execPath]);
    assert.equal(lines.length, 6);
  });

  it("opens the user's shell, and says in three lines what is there", async (t) => {
    const lab = start(t, { env: { SHELL: "/bin/sh" } });
    await lab.waitForLine(/^You are on a client with two uplinks/, patience);
    lab.stdin.write("server ip -br addr show dev eth1; exit 3\n");
    assert.equal((await within("its end", lab.exited, patience.deadlineMs)).code, 3);
    assert.equal(lab.lines.length, 4, lab.output);
    assert.match(lab.lines.at(-1) ?? "", /^eth1@\S+ +UP +10\.0\.1\.1\/24/);
  });

  for (const address of ["10.0.1.1", "10.0.2.1", "fd00:1::1", "fd00:2::1"])
    it(`connect ${address} opens an MPTCP connection that stays, and says its token`, async (t) => {
      const lab = start(
        t,
        {},
        "sh",
        "-c",
        `connect ${address} & read line; mptcpctl connections; kill $!; wait $!; echo "ended with $?"`,
      );
      const [, token] = await lab.waitForLine(/^([0-9a-f]{8}) \S+ port \d+ > \S+ port 8080$/, patience);
      lab.stdin.write("go on\n");
      await lab.waitForLine(
        new RegExp(`^connection ${token}: .* port \\d+ to ${address} port 8080, established, client$`),
      );
      await lab.waitForLine(/^ended with 0$/);
      assert.deepEqual(await lab.exited, { code: 0, signal: null });
    });

  it("connect ends with Ctrl-C, and says why where it cannot connect", async (t) => {
    const { lines, exit } = await ended(
      t,
      "sh",
      "-c",
      `connect >/run/said & until grep -q 8080 /run/said; do sleep 0.1; done; kill -INT $!; wait $!
       echo "interrupted: $?"
       connect 10.0.1.99; echo "nobody there: $?"
       connect a b; echo "usage: $?"`,
    );
    assert.equal(exit.code, 0);
    assert.deepEqual(lines, [
      "interrupted: 0",
      "connect: cannot connect to 10.0.1.99 port 8080 (mptcp): host is unreachable (EHOSTUNREACH)",
      "nobody there: 1",
      "connect: usage: connect [ADDRESS]",
      "usage: 64",
    ]);
  });

  it("is a place for path managers: mptcpd runs there, with a plugin of one's own", async (t) => {
    const plugin = `import { definePathManager } from "mptcpd";
      export default definePathManager({ name: "mine", setup: (pm) => ({
        async connectionEstablished(connection) {
          for (const from of pm.network.uplinks)
            if (!connection.uses(from)) await pm.createSubflow(connection, { from });
        } }) });`;
    const lab = start(
      t,
      {},
      "sh",
      "-c",
      `mkdir /run/plugins && cat >/run/plugins/mine.mjs
       mptcpd --plugin-dir /run/plugins --path-manager mine 2>/run/log &
       until grep -q ready /run/log; do sleep 0.1; done
       connect & until server ss -tnH state established | grep 10.0.2.2; do sleep 0.1; done; kill $!`,
    );
    lab.stdin.end(plugin);
    await lab.waitForLine(/10\.0\.1\.1\]?:8080 .*10\.0\.2\.2/, patience);
    assert.equal((await lab.exited).code, 0);
  });

  it("leaves nothing behind, however it ends", async (t) => {
    for (const end of ["SIGTERM", "SIGKILL"] as const) {
      const mark = `mark-${process.pid}-${end}`;
      const lab = start(t, {}, "sh", "-c", `connect & mptcpd 2>/dev/null & tail -f /dev/null ${mark} 2>&1`);
      await lab.waitForLine(/port 8080$/, patience);
      assert.equal(commandLinesWith(mark).length > 0, true);
      lab.signal(end);
      await lab.exited;
      await eventually("the end of its processes", () => assert.deepEqual(commandLinesWith(mark), []));
    }
  });

  it("by its own name builds what is missing, and does the same", async (t) => {
    const lab = new LabProcess(process.execPath, [
      join(checkout, "tools/lab.mjs"),
      "sh",
      "-c",
      "echo $PPID; exit 9",
    ]);
    t.after(() => lab.kill());
    assert.equal((await within("its end", lab.exited, 120_000)).code, 9);
  });
});

describe("npm run lab --", () => {
  const lab = (...args: readonly string[]) =>
    spawnSync(process.execPath, [join(checkout, "tools/lab.mjs"), ...args], { encoding: "utf8" });

  for (const option of ["--help", "-h"])
    it(`${option} prints what it does and what is there, at most 80 columns wide`, () => {
      const { status, stdout, stderr } = lab(option);
      assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
      assert.match(stdout, /^Usage: npm run lab \[-- COMMAND \[ARGUMENT\.\.\.\]\]\n/);
      for (const command of ["connect [ADDRESS]", "server COMMAND...", "mptcpctl"])
        assert.ok(stdout.includes(command), command);
      assert.deepEqual(
        stdout.split("\n").filter((line) => line.length > 80),
        [],
      );
    });

  it("--other is refused: an option is not a command", () => {
    const { status, stdout, stderr } = lab("--other");
    assert.deepEqual({ status, stdout }, { status: 64, stdout: "" });
    assert.equal(stderr, "lab: --other: no such option; npm run lab -- --help\n");
  });
});

/** The lab in a sandbox of its own. */
function start(
  t: TestContext,
  { env }: { env?: Record<string, string> },
  ...command: readonly string[]
): LabProcess {
  const lab = join(checkout, "dist/lab.js");
  const args = [join(checkout, "tools/sandbox.mjs"), process.execPath, lab, "run", ...command];
  const child = new LabProcess(process.execPath, args, env === undefined ? {} : { env });
  t.after(() => child.kill());
  return child;
}

/** Runs a command there to its end. */
async function ended(
  t: TestContext,
  ...command: readonly string[]
): Promise<{ lines: readonly string[]; exit: Exit }> {
  const lab = start(t, {}, ...command);
  const exit = await within("its end", lab.exited, patience.deadlineMs);
  return { lines: lab.lines, exit };
}

function commandLinesWith(word: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => commandLine(pid))
    .filter((line) => line.includes(word));
}

function commandLine(pid: string): string[] {
  try {
    return [readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")];
  } catch {
    return [];
  }
}
