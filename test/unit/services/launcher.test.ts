import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Launcher, parseDryRun, type RunAs } from "../../../src/services/launcher.ts";
import { refusal } from "./facts.ts";

const question = {
  unit: "web.service",
  program: "/usr/sbin/web",
  args: ["-a", "b c"],
  how: "auto",
  variables: new Map([["LD_PRELOAD", "%h/own.so"]] as const),
  searchPath: "/usr/bin",
} as const;

const answer =
  "way: preload\nprogram: /usr/bin/python3.11\nwhy: script, dynamically linked, glibc\n" +
  "set: LD_PRELOAD=%h/own.so:/lib/w.so\nset: GODEBUG=a=1,multipathtcp=1\nwarning: one: two\n";

function answering(result: { stdout?: string; stderr?: string; code?: number }) {
  const calls: Parameters<RunAs>[] = [];
  const run: RunAs = async (...call) => {
    calls.push(call);
    return { stdout: "", stderr: "", code: 0, ...result };
  };
  return { calls, launcher: new Launcher("/usr/bin/mptcpize", run) };
}

describe("the launcher's answer", () => {
  it("is understood line by line", () => {
    const { way, program, why, set, warnings } = parseDryRun(answer);
    assert.deepEqual(
      [way, program, why],
      ["preload", "/usr/bin/python3.11", "script, dynamically linked, glibc"],
    );
    assert.deepEqual(Object.fromEntries(set), {
      LD_PRELOAD: "%h/own.so:/lib/w.so",
      GODEBUG: "a=1,multipathtcp=1",
    });
    assert.deepEqual(warnings, ["one: two"]);
  });

  it("is refused when it is none", () => {
    assert.throws(() => parseDryRun("hello"), refusal("hello"));
    assert.throws(() => parseDryRun("way: magic\n"), refusal("way: magic"));
  });
});

describe("asking the launcher", () => {
  it("keeps the unit's variables out of the launcher's own environment, which root may be running", async () => {
    const { calls, launcher } = answering({ stdout: answer });
    await launcher.inspect(question);
    assert.deepEqual(calls, [
      [
        "/usr/bin/mptcpize",
        ["run", "--dry-run", "--how=auto", "--env=LD_PRELOAD=%h/own.so", "--", "/usr/sbin/web", "-a", "b c"],
        { environment: { PATH: "/usr/bin" } },
      ],
    ]);
  });

  it("is done as the service's user, since what a setuid program gains depends on it", async () => {
    const { calls, launcher } = answering({ stdout: answer });
    await launcher.inspect({ ...question, identity: { uid: 33, gid: 34 } });
    assert.deepEqual(calls[0]?.[2].identity, { uid: 33, gid: 34 });
  });

  it("refuses where that user cannot execute the launcher", async () => {
    const run = async () => Promise.reject(new Error("spawn EACCES"));
    const identity = { uid: 33, gid: 34 };
    await assert.rejects(
      new Launcher("/root/mptcpize", run).inspect({ ...question, identity }),
      refusal("web.service", "uid 33", "/root/mptcpize", "EACCES"),
    );
  });

  it("refuses with the launcher's own words", async () => {
    const { launcher } = answering({ stderr: "mptcpize: /usr/sbin/web: not found\n", code: 127 });
    await assert.rejects(launcher.inspect(question), (error) => {
      assert.ok(refusal()(error));
      assert.equal(error instanceof Error && error.message, "web.service: /usr/sbin/web: not found");
      return true;
    });
  });
});
