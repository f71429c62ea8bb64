import assert from "node:assert/strict";
import { before, describe, it, type TestContext } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { rounds } from "../lab/campaign.ts";
import { launcher } from "../lab/launcher.ts";
import { compiled, toolsFor } from "../lab/programs.ts";
import { pair, start, stepThrough, stormOfKills, supervisors } from "../lab/supervisors.ts";

/** How long a storm lasts. */
const stormMs = rounds(4, 60) * 1000;

describe("the seccomp supervisor's answers about socket options", {
  skip: requires({ root: true, tools: [toolsFor.glibc, "busybox"] }),
}, () => {
  let stepped: string;
  let supervised: string;
  before(async () => {
    stepped = await compiled("stepped-options", "glibc static");
    supervised = await compiled("supervised", "glibc static");
  });

  /** What comes of a call, by the step at which something happens, up to its last step. */
  async function atEachStep(t: TestContext, action: string, call: string): Promise<string[]> {
    const lines: string[] = [];
    for (let step = 1; step <= 200; step++) {
      const line = await stepThrough(t, stepped, [action, call, `${step}`]);
      if (line === "complete") break;
      lines.push(line);
    }
    return lines;
  }

  for (const [call, protocol, steps] of [
    ["hint", 262, ["setsockopt", "socket", "ioctl"]],
    ["read", 262, ["socket", "pwrite64", "ioctl"]],
    ["tcp", 6, ["setsockopt", "socket", "bind", "ioctl"]],
  ] as const)
    for (const [action, disturbed] of [
      ["kill", "the worker is killed at"],
      ["interrupt", "a signal interrupts"],
    ] as const)
      it(`are the same whichever step of "${call}" ${disturbed}`, async (t) => {
        const lines = await atEachStep(t, action, call);
        const facts = lines.map((line) => line.replace(/^(before|after) \w+: /, ""));
        const right = `error 0 protocol ${protocol} ttl 60 reuse 0 cloexec 1 same port, 0 left`;
        assert.deepEqual(
          facts.filter((line) => line !== right),
          [],
          lines.join("\n"),
        );
        for (const step of steps)
          assert.ok(
            lines.some((line) => line.startsWith(`after ${step}:`)),
            `${step} is not among\n${lines.join("\n")}`,
          );
      });

  it("replace no file that gets the socket's number meanwhile", async (t) => {
    const lines = await atEachStep(t, "swap", "tcp");
    // The kernel replaces what has the number then: between that and the last look at it there is nothing else.
    assert.deepEqual(
      lines.filter((line) => line.endsWith("the pipe is gone")),
      ["before ioctl: the pipe is gone"],
      lines.join("\n"),
    );
  });

  it("are right, and leave no file behind, in a storm of kills", (t) =>
    stormOfKills(t, {
      supervised,
      mode: "options",
      programs: 3,
      stormMs,
      right: /^mptcp 0 tcp [1-9]\d+ foreign 0 wrong 0 left 0$/,
    }));

  it("cost nothing, and are not missed, for options that the kernel takes", async (t) => {
    const child = start(t, [launcher, "run", "--how=seccomp", supervised, "settings"]);
    await child.waitForLine(/^ready$/);
    const both = await pair();
    for (const { pid } of both) process.kill(pid, "SIGSTOP");
    for (const { pid } of both) process.kill(pid, "SIGKILL");
    await waitFor("no supervisor", supervisors, { until: (found) => found.length === 0 });
    child.stdin.write("x");
    await child.waitForLine(/^ttl 38 nodelay 0$/);
  });

  it("are the kernel's where a policy would kill the worker for them", async (t) => {
    const forbidden = [supervised, "closed", launcher, "run", "--how=seccomp", supervised, "settings"];
    const child = start(t, forbidden);
    await child.waitForLine(/^ready$/);
    const before = await pair();
    child.stdin.write("x");
    await child.waitForLine(/^ttl 95 nodelay 0$/);
    assert.deepEqual(await pair(), before);
  });
});
