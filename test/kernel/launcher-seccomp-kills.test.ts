import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { rounds } from "../lab/campaign.ts";
import { launcher } from "../lab/launcher.ts";
import { compiled, toolsFor } from "../lab/programs.ts";
import { ask, pair, start, stepThrough, stormOfKills } from "../lab/supervisors.ts";

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
    // While both run, the processors decide which call comes first, so a round may pass over one of these.
    const wanted = ["worker clone", "worker close", "visitor setns", "visitor socket"];
    const unseen = () => wanted.filter((step) => !steps.some((line) => line.includes(step)));
    for (let round = 0; round < 5 && unseen().length > 0; round++)
      for (let step = 1; step <= 200 && (step === 1 || steps.at(-1) !== "complete"); step++)
        steps.push(await stepThrough(t, stepped, ["kill", `${step}`]));
    const right = /^(before|after) (worker|visitor) \w+: protocol (6|262) of this namespace, 0 left$/;
    assert.deepEqual(
      steps.filter((line) => line !== "complete" && !right.test(line)),
      [],
    );
    assert.deepEqual(unseen(), [], steps.join("\n"));
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
});
