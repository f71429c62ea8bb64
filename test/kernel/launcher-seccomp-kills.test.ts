import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { codeOf } from "../../src/base/errors.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { rounds } from "../lab/campaign.ts";
import { launcher } from "../lab/launcher.ts";
import { compiled, toolsFor } from "../lab/programs.ts";
import { ask, pair, start, stepThrough, stormOfKills, supervisors } from "../lab/supervisors.ts";

/** How long a storm lasts. */
const stormMs = rounds(4, 60) * 1000;

describe("the seccomp supervisor, killed", {
  skip: requires({ root: true, tools: [toolsFor.glibc, "busybox"] }),
}, () => {
  let stepped: string;
  let supervised: string;
  before(async () => {
    stepped = await compiled("stepped", "glibc static");
    supervised = await compiled("supervised", "glibc static");
  });

  it("leaves a caller in another namespace its own socket, whichever step it is killed at", async (t) => {
    const steps: string[] = [];
    for (let step = 1; step <= 200 && steps.at(-1) !== "complete"; step++)
      steps.push(await stepThrough(t, stepped, ["kill", `${step}`]));
    const right = /^(before|after) (worker|visitor) \w+: protocol (6|262) of this namespace, 0 left$/;
    assert.deepEqual(
      steps.filter((line) => line !== "complete" && !right.test(line)),
      [],
    );
    // Which of the two comes first while both run is for the processors to say: not each of their calls has a turn.
    for (const step of ["worker clone", "worker close", "visitor setns", "visitor socket"])
      assert.ok(
        steps.some((line) => line.includes(step)),
        `${step} is not among\n${steps.join("\n")}`,
      );
    assert.match(steps.at(-2) ?? "", /protocol 262/);
  });

  describe("does no more for a caller that is gone, even if another process has its id by then", () => {
    for (const [call, never] of [
      ["openat", ["clone", "setns", "socket", "give"]],
      ["setns", ["socket", "give"]],
      ["socket", ["give"]],
    ] as const)
      it(`gone at ${call}: no ${never.join(", ")}`, async (t) => {
        const calls = (await stepThrough(t, stepped, ["gone", call])).split(" ");
        assert.equal(calls.shift(), "then");
        assert.equal(calls.shift(), call);
        assert.ok(calls.includes("ioctl"), calls.join(" "));
        assert.deepEqual(
          calls.filter((name) => never.some((other) => other === name)),
          [],
        );
      });
  });

  it("keeps network namespaces apart, and leaves no file behind, in a storm of kills", (t) =>
    stormOfKills(t, {
      supervised,
      mode: "storm",
      programs: 6,
      stormMs,
      right: /^mptcp [1-9]\d+ tcp \d+ foreign 0 wrong 0 left 0$/,
    }));

  it("leaves TCP to callers where a policy kills each worker that makes a socket, and stays alive", async (t) => {
    const forbidden = [supervised, "forbid", launcher, "run", "--how=seccomp", supervised, "until"];
    const child = start(t, forbidden);
    await child.waitForLine(/^ready$/);
    for (let i = 0; i < 30; i++) assert.equal(await ask(child), "protocol 6");
    await pair();
  });

  it("starts few processes while workers are killed at once, and answers meanwhile", async (t) => {
    const child = start(t, [launcher, "run", "--how=seccomp", supervised, "until"]);
    await child.waitForLine(/^ready$/);
    const [guardian] = await pair();
    const killed = new Set<number>();
    const killer = setInterval(() => {
      for (const { pid, parent } of supervisors()) {
        if (parent !== guardian.pid) continue;
        killed.add(pid);
        killIfThere(pid);
      }
    }, 1);
    t.after(() => clearInterval(killer));
    const longest: number[] = [];
    for (const end = performance.now() + 2000; performance.now() < end; ) {
      const begun = performance.now();
      const line = await ask(child);
      longest.push(performance.now() - begun);
      assert.match(line, /^protocol (6|262)$/);
    }
    clearInterval(killer);
    // 1, 2, 4, … 128 ms, then eight a second.
    assert.ok(killed.size >= 5 && killed.size <= 30, `${killed.size} workers in two seconds`);
    longest.sort((a, b) => a - b);
    const median = longest[Math.floor(longest.length / 2)] ?? Number.NaN;
    assert.ok(median < 50, `half of the calls took ${median} ms and more`);
    await pair();
  });
});

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (codeOf(error) !== "ESRCH") throw error;
  }
}
