import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { codeOf } from "../../src/base/errors.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { launcher } from "../lab/launcher.ts";
import { compiled, toolsFor } from "../lab/programs.ts";
import { ask, pair, start, supervisors } from "../lab/supervisors.ts";

describe("the seccomp supervisor, whose workers are killed again and again", {
  skip: requires({ root: true, tools: [toolsFor.glibc, "busybox"] }),
}, () => {
  let supervised: string;
  before(async () => {
    supervised = await compiled("supervised", "glibc static");
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
