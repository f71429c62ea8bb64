import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { dryRun, ending, launcher } from "../lab/launcher.ts";

const isRoot = process.getuid?.() === 0;

/** Sets a traffic class and a timeout, reads one, and says what protocol the sockets have. */
const script = `
import socket
def answer(call, *arguments):
    try: return call(*arguments)
    except OSError as error: return f"errno {error.errno}"
for level, option, value in [(0, 2, 60), (0, 2, 1), (6, 18, 5000), (1, 60, 1), (0, 2, 300), (0, 2, 64)]:
    one = socket.socket()
    print(option, value, answer(one.setsockopt, level, option, value), answer(one.getsockopt, level, option),
          one.getsockopt(1, 38))
`;

/** The sanitizer's launcher accepts that the library of the outer one is loaded before the sanitizer's. */
const { ASAN_OPTIONS = "" } = process.env;
const inAnyOrder = { ASAN_OPTIONS: `${ASAN_OPTIONS}:verify_asan_link_order=0` };

/** `mptcpize run` within another, by the options of both. */
const nested: readonly { outer: readonly string[]; inner: readonly string[]; stdout: RegExp }[] = [
  { outer: ["--how=preload"], inner: ["--how=seccomp"], stdout: /^2 60 None 60 262\n2 1 None 1 6\n/ },
  { outer: ["--how=preload"], inner: ["--how=seccomp", "--options=tcp"], stdout: /^2 60 None 60 6\n/ },
  { outer: ["--how=preload"], inner: ["--how=seccomp", "--off"], stdout: /^2 60 None 60 6\n/ },
  { outer: ["--how=preload", "--off"], inner: ["--how=seccomp"], stdout: /^2 60 None 60 262\n/ },
  { outer: ["--how=seccomp"], inner: ["--how=preload"], stdout: /^2 60 None 60 262\n2 1 None 1 6\n/ },
  { outer: ["--how=seccomp"], inner: ["--how=seccomp"], stdout: /^2 60 None 60 262\n2 1 None 1 6\n/ },
  { outer: ["--how=preload"], inner: ["--how=preload", "--off"], stdout: /^2 60 None 60 6\n/ },
];

type Policy = { options: readonly string[]; stdout: string[]; said: RegExp[] };

const policies: Readonly<Record<string, Policy>> = {
  "tolerates hints, leaves optional ones to the program, and makes TCP for what programs rely on": {
    options: [],
    stdout: [
      "2 60 None 60 262",
      "2 1 None 1 6",
      "18 5000 None 5000 6",
      "60 1 errno 95 0 262",
      "2 300 errno 22 64 262",
      "2 64 None 64 262",
    ],
    said: [
      /^mptcpwrap: MPTCP refuses IP_TTL of fd \d+: taken as a hint$/m,
      /^mptcpwrap: MPTCP refuses IP_TTL of fd \d+: read as TCP has it$/m,
      /^mptcpwrap: MPTCP refuses IP_TTL of fd \d+: it is TCP now$/m,
      /^mptcpwrap: MPTCP refuses TCP_USER_TIMEOUT of fd \d+: it is TCP now$/m,
      /^mptcpwrap: MPTCP refuses SO_ZEROCOPY of fd \d+: errno 95, programs do without it$/m,
      /^mptcpwrap: MPTCP refuses IP_TTL of fd \d+: errno 22 as TCP gives$/m,
      /^mptcpwrap: MPTCP refuses IP_TTL of fd \d+: it has that value already$/m,
    ],
  },
  "makes TCP for all of them with --options=tcp, but for errors and values that are there": {
    options: ["--options=tcp"],
    stdout: [
      "2 60 None 60 6",
      "2 1 None 1 6",
      "18 5000 None 5000 6",
      "60 1 None 1 6",
      "2 300 errno 22 64 262",
      "2 64 None 64 262",
    ],
    said: [/^mptcpwrap: MPTCP refuses SO_ZEROCOPY of fd \d+: it is TCP now$/m],
  },
  "leaves all to the kernel with --options=refuse": {
    options: ["--options=refuse"],
    stdout: [
      "2 60 errno 95 errno 95 262",
      "2 1 errno 95 errno 95 262",
      "18 5000 errno 92 errno 95 262",
      "60 1 errno 95 0 262",
      "2 300 errno 95 errno 95 262",
      "2 64 errno 95 errno 95 262",
    ],
    said: [],
  },
};

describe("socket options under mptcpize run", { skip: requires({ tools: ["python3"] }) }, () => {
  const cases = Object.entries(policies).flatMap(([promise, policy]) =>
    ["preload", "seccomp"].map((how) => ({ promise, how, ...policy })),
  );
  for (const { promise, how, options, stdout, said } of cases)
    it(`${promise}, by ${how}`, () => {
      const command = ["run", "-d", `--how=${how}`, ...options, "python3", "-c", script];
      const result = ending(launcher, command);
      assert.deepEqual([result.code, result.stdout.trim().split("\n")], [0, stdout]);
      for (const line of said) assert.match(result.stderr, line);
      if (said.length === 0) assert.doesNotMatch(result.stderr, /MPTCP refuses/);
    });

  for (const how of ["preload", "seccomp"]) {
    it(`says nothing of them without -d, by ${how}`, () => {
      assert.equal(ending(launcher, ["run", `--how=${how}`, "python3", "-c", script]).stderr, "");
    });

    it(`gives TCP's answers with --off, as the sockets are TCP, by ${how}`, () => {
      const { stdout } = ending(launcher, ["run", `--how=${how}`, "--off", "python3", "-c", script]);
      assert.match(stdout, /^2 60 None 60 6\n/);
    });
  }

  for (const { outer, inner, stdout } of nested)
    it(`gives those of the inner one: run ${outer.join(" ")}, then run ${inner.join(" ")}`, () => {
      const command = ["run", ...outer, launcher, "run", ...inner, "python3", "-c", script];
      const result = ending(launcher, command, { env: inAnyOrder });
      assert.deepEqual([result.code, result.stderr], [0, ""]);
      assert.match(result.stdout, stdout);
    });

  it("asks the kernel itself whether it has MPTCP, whatever library is around it", { skip: !isRoot }, () => {
    const off = `echo 0 >/proc/sys/net/mptcp/enabled; exec "$0" run --off "$0" run --strict true`;
    const { code, stderr } = ending("unshare", ["--net", "sh", "-c", off, launcher], { env: inAnyOrder });
    assert.equal(code, 125);
    assert.match(stderr, /net\.mptcp\.enabled is 0/);
  });

  it("takes the answers that there are, and no other", () => {
    const { code, stderr } = ending(launcher, ["run", "--options=some", "true"]);
    const words = "--options=some is unknown: allowed are tolerate, tcp, refuse";
    assert.deepEqual({ code, stderr }, { code: 64, stderr: `mptcpize: ${words}\n` });
  });

  it("hands the answer to the library, and the default in spite of one from outside", () => {
    for (const answer of ["tcp", "refuse"]) {
      const set = dryRun("true", { options: [`--options=${answer}`] }).get("set");
      assert.ok(set?.includes(`MPTCPWRAP_OPTIONS=${answer}`));
    }
    const env = { MPTCPWRAP_OPTIONS: "refuse" };
    assert.deepEqual(dryRun("true", { options: ["--options=tolerate"], env }).get("unset"), [
      "MPTCPWRAP_OPTIONS",
    ]);
    assert.deepEqual(dryRun("true", { env }).get("unset"), ["MPTCPWRAP_OPTIONS"]);
  });
});
