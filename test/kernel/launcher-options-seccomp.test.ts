import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { ending, launcher } from "../lab/launcher.ts";
import { compiled, toolsFor } from "../lab/programs.ts";
import { testAnswers } from "./option-answers.ts";

const seccomp = [launcher, "run", "--how=seccomp"] as const;

describe("socket options that MPTCP refuses, by seccomp", { skip: requires({ tools: ["python3"] }) }, () => {
  testAnswers({
    prefix: seccomp,
    left: [
      "SO_ATTACH_FILTER",
      "SO_ATTACH_BPF",
      "SO_ATTACH_REUSEPORT_CBPF",
      "SO_ATTACH_REUSEPORT_EBPF",
      "TCP_ZEROCOPY_RECEIVE",
    ],
    // The supervisor has files of its own.
    surmounted: ["files-0", "files-1", "files-2", "files-3"],
  });

  it("leaves to the kernel values that refer to the program's memory, and says so with -d", () => {
    const attach = "import socket; print(socket.socket().setsockopt(1, 26, bytes(16)))";
    const { stderr } = ending(launcher, ["run", "-d", "--how=seccomp", "python3", "-c", attach]);
    assert.match(
      stderr,
      /^mptcpwrap: SO_ATTACH_FILTER of fd \d+ is left to the kernel, its value refers to other memory or files$/m,
    );
  });
});

describe("the seccomp supervisor, about socket options", {
  skip: requires({ root: true, tools: [toolsFor.glibc] }),
}, () => {
  let program: string;
  before(async () => {
    program = await compiled("option-facts", "glibc static");
  });
  const nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
  /** Such a supervisor may only look at programs of its own user. */
  const withoutTracing = ["setpriv", "--bounding-set", "-sys_ptrace"];

  /** What the program says, in a network namespace of its own. */
  function facts(...command: readonly string[]): { lines: string[]; said: string } {
    const { code, stdout, stderr } = ending("unshare", ["-n", ...command]);
    assert.equal(code, 0, stderr);
    return { lines: stdout.trim().split("\n"), said: stderr };
  }

  function expected(place: { uid: number; mayRepair: boolean }): string[] {
    const where = `own namespace, uid ${place.uid}`;
    return [
      `ttl 60: error 0, read 60, protocol 262, ${where}`,
      place.mayRepair
        ? `repair 1: error 0, read 1, protocol 6, ${where}`
        : `repair 1: error 1, read 0, protocol 262, ${where}`,
      `timeout 5000: error 0, read 5000, protocol 6, ${where}`,
    ];
  }

  it("answers root", () => {
    assert.deepEqual(facts(...seccomp, program).lines, expected({ uid: 0, mayRepair: true }));
  });

  it("answers a program that has given up root, with that program's rights", () => {
    const user = expected({ uid: 65534, mayRepair: false });
    assert.deepEqual(facts(...seccomp, ...nobody, program).lines, user);
    assert.deepEqual(facts(...seccomp, program, "65534").lines, user);
    assert.deepEqual(facts(...nobody, ...seccomp, program).lines, user);
  });

  it("answers a program in another network namespace, with sockets of that", () => {
    const root = expected({ uid: 0, mayRepair: true });
    assert.deepEqual(facts(...seccomp, "unshare", "-n", program).lines, root);
    const user = expected({ uid: 65534, mayRepair: false });
    assert.deepEqual(facts(...seccomp, "unshare", "-n", program, "65534").lines, user);
  });

  it("answers a program in another user namespace, whose rights do not count in its own", () => {
    const user = expected({ uid: 0, mayRepair: false });
    assert.deepEqual(facts(...seccomp, ...nobody, "unshare", "-Ur", program).lines, user);
    assert.deepEqual(
      facts(...nobody, ...seccomp, "unshare", "-Urn", program).lines.slice(0, 1),
      user.slice(0, 1),
    );
  });

  it("leaves to the kernel what it may not look at, and says so with -d", () => {
    const debug = [launcher, "run", "-d", "--how=seccomp"];
    const { lines, said } = facts(...withoutTracing, ...debug, program, "65534");
    const where = "own namespace, uid 65534";
    assert.deepEqual(lines, [
      `ttl 60: error 95, read -95, protocol 262, ${where}`,
      `repair 1: error 92, read -95, protocol 262, ${where}`,
      `timeout 5000: error 92, read -95, protocol 262, ${where}`,
    ]);
    assert.match(
      said,
      /^mptcpwrap: IP_TTL of fd \d+ is left to the kernel, the program's files are out of reach$/m,
    );
    assert.equal(facts(...withoutTracing, ...seccomp, program, "65534").said, "");
  });
});
