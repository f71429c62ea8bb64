import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConfigError } from "../../../../src/control/config/config.ts";
import { KernelError } from "../../../../src/kernel/netlink/errors.ts";
import { type Commands, runProgram } from "../../../../src/programs/mptcpctl/command-line.ts";
import {
  CommandError,
  endingOf,
  OutputError,
  UsageError,
} from "../../../../src/programs/mptcpctl/io/output.ts";

type Call = readonly [command: string, ...rest: unknown[]];

/** Runs a command line on commands that only note how they were called. */
async function run(line: string): Promise<{ calls: Call[]; output: string; namespaces: string[] }> {
  const calls: Call[] = [];
  const namespaces: string[] = [];
  let output = "";
  const commands: Commands = {
    endpoint: async (command, words, { json, pretty }) =>
      void calls.push(["endpoint", command, words, json, pretty]),
    limits: async (command, words, { json }) => void calls.push(["limits", command, words, json]),
    monitor: async (words, { json, timestamp }) => void calls.push(["monitor", words, json, timestamp]),
    explain: async (words, options) => void calls.push(["explain", words, { ...options }]),
    adopt: async (words, options) => void calls.push(["adopt", words, { ...options }]),
    connections: async (words) => void calls.push(["connections", words]),
    subflow: async (command, words, options) => void calls.push(["subflow", command, words, { ...options }]),
    announce: async (words) => void calls.push(["announce", words]),
    withdraw: async (words) => void calls.push(["withdraw", words]),
    listen: async (words) => void calls.push(["listen", words]),
    record: async (words) => void calls.push(["record", words]),
    replay: async (words, options) => void calls.push(["replay", words, { ...options }]),
    report: async (words, options) => void calls.push(["report", words, { ...options }]),
  };
  const argv = line.split(" ").filter((word) => word !== "");
  await runProgram(argv, {
    commands,
    output: {
      write: (text) => {
        output += text;
      },
      drain: () => undefined,
      warn: () => assert.fail("nothing to warn of"),
    },
    enterNetworkNamespace: (namespace) => {
      assert.deepEqual(calls, [], "the namespace is entered before the command runs");
      namespaces.push(namespace);
    },
  });
  return { calls, output, namespaces };
}

async function refuses(line: string, message: RegExp) {
  await assert.rejects(run(line), (error) => {
    assert.ok(error instanceof UsageError, String(error));
    assert.match(error.message, message);
    return true;
  });
}

describe("mptcpctl's command line", () => {
  it("names commands in full or in short, the first that fits", async () => {
    const show = ["endpoint", "show", ["id", "1"], false, false];
    for (const line of ["endpoint show id 1", "e s id 1", "end sh id 1"])
      assert.deepEqual((await run(line)).calls, [show], line);
    assert.deepEqual((await run("l s subflows 3")).calls, [["limits", "set", ["subflows", "3"], false]]);
    assert.deepEqual((await run("l sh")).calls, [["limits", "show", [], false]]);
    assert.deepEqual((await run("endpoint del id 1")).calls[0]?.slice(0, 2), ["endpoint", "delete"]);
    assert.deepEqual((await run("ex")).calls, [["explain", [], {}]]);
  });

  it("shows endpoints and limits when nothing else is said", async () => {
    assert.deepEqual((await run("endpoint")).calls, [["endpoint", "show", [], false, false]]);
    assert.deepEqual((await run("limits")).calls, [["limits", "show", [], false]]);
  });

  it("takes options before and after the command", async () => {
    const pretty = ["endpoint", "show", [], true, true];
    for (const line of ["-j -p endpoint", "endpoint -jp", "endpoint show --json --pretty"])
      assert.deepEqual((await run(line)).calls, [pretty], line);
    assert.deepEqual((await run("monitor -t")).calls, [["monitor", [], false, true]]);
    assert.deepEqual((await run("-n blue limits")).namespaces, ["blue"]);
    assert.deepEqual((await run("limits --netns=/proc/1/ns/net")).namespaces, ["/proc/1/ns/net"]);
    assert.deepEqual((await run("adopt --all --runtime-dir /x --config=/y")).calls, [
      ["adopt", [], { all: true, runtimeDir: "/x", config: "/y" }],
    ]);
  });

  it("has commands for connections, with options of their own", async () => {
    assert.deepEqual((await run("connections 84e50ebe")).calls, [["connections", ["84e50ebe"]]]);
    assert.deepEqual((await run("subflow create token 1 10.0.0.1 to 10.0.0.2 --deadline 2.5")).calls, [
      ["subflow", "create", ["token", "1", "10.0.0.1", "to", "10.0.0.2"], { deadline: "2.5", wait: true }],
    ]);
    assert.deepEqual((await run("sub c --no-wait")).calls, [["subflow", "create", [], { wait: false }]]);
    assert.deepEqual((await run("s d")).calls, [["subflow", "destroy", [], {}]]);
    assert.deepEqual((await run("subflow ch")).calls, [["subflow", "change", [], {}]]);
    for (const name of ["announce", "withdraw", "listen"])
      assert.deepEqual((await run(`${name} token 1`)).calls, [[name, ["token", "1"]]]);
    // What was short before stays what it was.
    assert.deepEqual((await run("a 10.0.0.1")).calls[0]?.[0], "adopt");
    assert.deepEqual((await run("l")).calls[0]?.[0], "limits");
    await refuses("subflow", /^subflow: a command is missing; allowed: create, destroy, change$/);
    await refuses("subflow foo", /^subflow: "foo" is not understood; allowed: create, destroy, change$/);
    await refuses("subflow destroy --no-wait", /unknown option '--no-wait'/);
  });

  it("has commands for recordings", async () => {
    assert.deepEqual((await run("record -")).calls, [["record", ["-"]]]);
    assert.deepEqual((await run("rec x")).calls, [["record", ["x"]]]);
    assert.deepEqual(
      (await run("replay x --plugin fullmesh --option a=1 --option b=2 --speed 10 --config y")).calls,
      [["replay", ["x"], { plugin: "fullmesh", option: ["a=1", "b=2"], speed: "10", config: "y" }]],
    );
    assert.deepEqual((await run("rep x --debug")).calls, [["replay", ["x"], { debug: true }]]);
    assert.deepEqual((await run("repo -f -o x --addresses keep --log-lines 9")).calls, [
      ["report", [], { force: true, output: "x", addresses: "keep", logLines: "9" }],
    ]);
  });

  it("prints help and version to standard output", async () => {
    assert.match((await run("--help")).output, /^Usage: mptcpctl \[OPTION\.\.\.\] COMMAND/);
    assert.match((await run("help")).output, /^Usage: mptcpctl \[OPTION/);
    assert.match(
      (await run("endpoint --help")).output,
      /^ {2}mptcpctl endpoint delete id ID \[ ADDRESS \]$/m,
    );
    assert.match((await run("e add -h")).output, /^Usage: mptcpctl endpoint add ADDRESS \[ dev NAME \]/);
    assert.match((await run("help explain")).output, /^Usage: mptcpctl explain/);
    for (const command of ["endpoint add", "report"])
      assert.match((await run(`${command} -h`)).output, /^Global Options:\n {2}-n, --netns/m);
    assert.match((await run("endpoint add -h")).output, /^ {2}fullmesh {2}open a subflow from it to every/m);
    assert.match((await run("subflow create -h")).output, /^TOKEN: which connection/m);
    assert.match((await run("-V")).output, /^\d+\.\d+\.\d+\n$/);
  });

  it("is refused with what is allowed", async () => {
    await refuses(
      "",
      /a command is missing; allowed: endpoint, limits, monitor, explain, adopt, connections/,
    );
    await refuses("foo", /"foo" is not understood; allowed: endpoint, limits/);
    await refuses(
      "endpoint foo",
      /endpoint: "foo" is not understood; allowed: add, change, delete, show, flush$/,
    );
    await refuses("limits foo", /limits: "foo" is not understood; allowed: set, show$/);
    await refuses("endpoint --foo", /unknown option '--foo'; `mptcpctl endpoint --help` shows/);
    await refuses("endpoint add --foo", /unknown option '--foo'; `mptcpctl endpoint add --help` shows/);
    await refuses("help foo", /^"foo" is not understood; allowed: endpoint, limits/);
    await refuses("conections", /^"conections" is not understood \(did you mean connections\?\); allowed: /);
    await refuses(
      "endpoint delte",
      /^endpoint: "delte" is not understood \(did you mean delete\?\); allowed: /,
    );
    await refuses("help explian", /did you mean explain\?/);
    await refuses("endpoint --jso", /unknown option '--jso' \(did you mean --json\?\); /);
    await refuses("adopt --al", /unknown option '--al' \(did you mean --all\?\); /);
    await refuses("-n", /argument missing; `mptcpctl --help`/);
  });
});

describe("mptcpctl ends", () => {
  it("with 2 after a usage error, and says what is allowed", () => {
    assert.deepEqual(endingOf(new UsageError("endpoint: what?")), {
      exitCode: 2,
      lines: ["endpoint: what?"],
    });
  });

  it("with 1 after the kernel's refusal, in the kernel's words", () => {
    const refused = new KernelError("add endpoint 10.0.0.1", 34, { message: "too many addresses" });
    const line = "cannot add endpoint 10.0.0.1: too many addresses (ERANGE)";
    assert.deepEqual(endingOf(refused), { exitCode: 1, lines: [line] });
  });

  it("with 1 without privilege, and says which it takes", () => {
    const { exitCode, lines } = endingOf(new KernelError("flush endpoints", 1));
    assert.equal(exitCode, 1);
    assert.match(
      lines.join(),
      /\(EPERM\); it takes CAP_NET_ADMIN in this network namespace: run it as root$/,
    );
  });

  it("with 1 after a configuration is refused, a line for each fault", () => {
    const faults = ["a.conf:1: this", "a.conf:2: that"];
    assert.deepEqual(endingOf(new ConfigError(faults)), { exitCode: 1, lines: faults });
  });

  it("in peace when its reader has gone, and not when the disk is full", () => {
    const broken = (code: string) => new OutputError(Object.assign(new Error(`write ${code}`), { code }));
    assert.deepEqual(endingOf(broken("EPIPE")), { exitCode: 0, lines: [] });
    assert.deepEqual(endingOf(broken("ENOSPC")), {
      exitCode: 1,
      lines: ["cannot write the output: write ENOSPC"],
    });
  });

  it("with a line, though the error had several", () => {
    assert.deepEqual(endingOf(new CommandError("EX", "one\n  two")).lines, ["one two"]);
  });

  it("with a stack after a fault of its own", () => {
    const { exitCode, lines } = endingOf(new TypeError("oops"));
    assert.equal(exitCode, 1);
    assert.match(lines.join(), /^internal error: TypeError: oops\n +at /);
  });
});
