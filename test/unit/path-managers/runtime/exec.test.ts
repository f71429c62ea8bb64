import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { waitFor } from "../../../../src/lab/kit/wait.ts";
import { execPathManager } from "../../../../src/path-managers/runtime/exec.ts";
import { HostBench } from "./fakes.ts";

/** A shell script as a path manager. In its directory it may leave files. */
class Script {
  readonly directory = mkdtempSync(join(tmpdir(), "mptcpd-exec-"));
  readonly path = join(this.directory, "script");
  readonly bench: HostBench;

  constructor(test: TestContext, text: string) {
    writeFileSync(this.path, `#!/bin/sh\ncd ${this.directory}\n${text}\n`);
    chmodSync(this.path, 0o755);
    this.bench = new HostBench([execPathManager("test", [this.path, "argument"])], {
      options: { key: "value" },
    });
    test.after(() => {
      this.bench.runtime.close();
      rmSync(this.directory, { recursive: true });
    });
  }

  /** Waits until a file has so many lines, as JSON. */
  async read(name: string, count: number): Promise<unknown[]> {
    const path = join(this.directory, name);
    const lines = async () => {
      await this.bench.settle(0);
      return existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : [];
    };
    const found = await waitFor(`${count} lines in ${name}`, lines, {
      until: ({ length }) => length >= count,
    });
    return found.map((line): unknown => JSON.parse(line));
  }

  logged(pattern: RegExp): Promise<string> {
    return waitFor(String(pattern), async () => {
      await this.bench.settle(0);
      return this.bench.lines.find((line) => pattern.test(line));
    });
  }
}

function isRunning(pid: unknown): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

/** Writes all that it is told into the file "told". */
const listen = "cat >>told";

const eventOf = (line: unknown) => typeof line === "object" && line !== null && "event" in line && line.event;

describe("a program that is a path manager", () => {
  it("is greeted, with its options, and then told what there is and what happens", async (t) => {
    const script = new Script(t, `echo "$1" >&2\n${listen}`);
    await script.bench.start();
    script.bench.connect();
    await script.bench.settle();
    const told = await script.read("told", 8);
    const [hello] = told;
    assert.ok(typeof hello === "object" && hello !== null && "options" in hello && "network" in hello);
    assert.deepEqual(
      { ...hello, network: undefined },
      {
        ...{ event: "hello", protocol: 1, name: "test", options: { key: "value" }, network: undefined },
      },
    );
    assert.deepEqual(told.map(eventOf), [
      ...["hello", "newInterface", "newInterface", "newLocalAddress", "newLocalAddress", "newLocalAddress"],
      ...["newConnection", "connectionEstablished"],
    ]);
    assert.equal(await script.logged(/argument/), "info: test: argument");
  });

  it("gives commands and gets answers, each with what it was asked by", async (t) => {
    const script = new Script(
      t,
      `read hello
       echo '{"command": "endpoints", "request": 1}'
       echo '{"command": "removeEndpoint", "id": 7, "request": {"any": "thing"}}'
       grep --line-buffered '"reply"' >replies`,
    );
    await script.bench.start();
    const replies = await script.read("replies", 2);
    assert.ok(replies.some((reply) => isDeepStrictEqual(reply, { reply: 1, result: [] })));
    const refusal = { code: "EINVAL", message: "cannot delete endpoint id 7: address not found (EINVAL)" };
    assert.ok(replies.some((reply) => isDeepStrictEqual(reply, { reply: { any: "thing" }, error: refusal })));
    assert.deepEqual(script.bench.lines, []);
  });

  it("is answered, and complained of in the log, where it wants no answer or makes no sense", async (t) => {
    const script = new Script(
      t,
      `read hello
       echo '{"command": "removeEndpoint", "id": 7}'
       echo 'what is this?'
       grep --line-buffered '"reply":null' >replies`,
    );
    await script.bench.start();
    assert.equal((await script.read("replies", 2)).length, 2);
    await script.logged(
      /^warning: test: \{"command": "removeEndpoint", "id": 7\}: cannot delete endpoint id 7: /,
    );
    await script.logged(/^warning: test: what is this\?: .*JSON/);
    assert.deepEqual(script.bench.faults, []);
  });

  it("is started again when it ends, later and later, and told anew what there is", async (t) => {
    const script = new Script(t, `if test -e told; then ${listen}2; else head -n 8 >told; exit 3; fi`);
    await script.bench.start();
    script.bench.connect();
    await script.bench.settle(50);
    assert.equal(
      await script.logged(/ended/),
      `error: test: ${script.path} ended with status 3; it is started again in 100 ms`,
    );
    await script.bench.settle(99);
    assert.equal(existsSync(join(script.directory, "told2")), false);
    await script.bench.settle(1);
    assert.deepEqual((await script.read("told2", 8)).map(eventOf), [
      ...["hello", "newInterface", "newInterface", "newLocalAddress", "newLocalAddress", "newLocalAddress"],
      ...["newConnection", "connectionEstablished"],
    ]);
  });

  it("waits twice as long for each restart, until it has run for a minute", async (t) => {
    const script = new Script(t, "read hello; read line");
    await script.bench.start();
    script.bench.change((network) => network.unplug("eth1"));
    await script.logged(/again in 100 ms/);
    await script.bench.settle(100);
    await script.logged(/again in 200 ms/);
    assert.equal(script.bench.lines.length, 2);
  });

  for (const [what, body, end] of [
    [
      "when it ends",
      "while ! test -e go; do sleep 0.02; done",
      (script: Script) => writeFileSync(join(script.directory, "go"), ""),
    ],
    ["when it is ended", "cat >/dev/null", (script: Script) => script.bench.runtime.close()],
    [
      "when it is ended and takes no notice",
      "trap '' TERM; while :; do sleep 0.05; done",
      (script: Script) => script.bench.runtime.close(),
    ],
  ] as const)
    it(`takes what it has started with it ${what}`, async (t) => {
      const script = new Script(
        t,
        `read hello; (trap '' TERM; exec sleep 1000) </dev/null >/dev/null 2>&1 & echo $! >child; ${body}`,
      );
      await script.bench.start();
      const [child] = await script.read("child", 1);
      assert.ok(isRunning(child));
      end(script);
      await waitFor("its end", async () => {
        await script.bench.settle(100);
        return !isRunning(child);
      });
    });

  const notStartable: readonly (readonly [string, string, RegExp])[] = [
    [
      "does not exist",
      "#!/nonexistent/interp -x",
      /its interpreter \/nonexistent\/interp does not exist: correct/,
    ],
    ["cannot be executed", "#! /etc/passwd", /its interpreter \/etc\/passwd cannot be executed: correct/],
    ["is a directory", "#!/etc", /its interpreter \/etc cannot be executed: correct/],
    ["is not in the PATH", "#!/usr/bin/env nosuch-interpreter", /nosuch-interpreter is not in the PATH/],
    ["has a carriage return", "#!/bin/sh\r", /its interpreter \S+ does not exist: end its lines with LF/],
  ];
  for (const [what, line, message] of notStartable)
    it(`is refused if its interpreter ${what}`, (t) => {
      const script = new Script(t, "");
      writeFileSync(script.path, `${line}\n`);
      assert.throws(() => execPathManager("test", [script.path]), message);
    });

  it("may have an interpreter whose path is not ASCII", (t) => {
    const script = new Script(t, "");
    const interpreter = join(script.directory, "jürgen");
    symlinkSync("/bin/sh", interpreter);
    writeFileSync(script.path, `#!${interpreter}\n`);
    assert.doesNotThrow(() => execPathManager("test", [script.path]));
  });

  it("may have an interpreter that env finds, and options for env", (t) => {
    const script = new Script(t, "");
    for (const line of [
      "#!/usr/bin/env sh",
      "#!/usr/bin/env -S A=1 nosuch -u",
      "#!\t/bin/sh -e",
      "no script",
    ]) {
      writeFileSync(script.path, line);
      execPathManager("test", [script.path]);
    }
  });

  it("that somebody else could have written by now is not started again, until that is mended", async (t) => {
    const script = new Script(t, "echo started >&2; read hello");
    await script.bench.start();
    await script.logged(/started/);
    chmodSync(script.path, 0o777);
    script.bench.change((network) => network.unplug("eth1"));
    await script.logged(/again in 100 ms/);
    await script.bench.settle(100);
    assert.equal(
      await script.logged(/is not started/),
      `error: test: ${script.path} is not started: ${script.path} may be written by everybody: take that away with chmod o-w; the next try is in 200 ms`,
    );
    chmodSync(script.path, 0o755);
    await script.bench.settle(200);
    await waitFor(
      "a second start",
      () => script.bench.lines.filter((line) => line === "info: test: started"),
      {
        until: ({ length }) => length === 2,
      },
    );
  });

  it("that writes a line without end is ended", async (t) => {
    const script = new Script(t, "head -c 1100000 /dev/zero | tr '\\0' x; exec sleep 60");
    await script.bench.start();
    await script.logged(/script wrote a line of more than 1048576 characters; it is started again/);
  });

  it("has ended when it has, though what has left its group lives on with its output", async (t) => {
    const script = new Script(
      t,
      "setsid sh -c 'echo $$ >pid; exec sleep 60' & while ! test -s pid; do sleep 0.02; done; echo last >&2; exit 1",
    );
    await script.bench.start();
    const [pid] = await script.read("pid", 1);
    t.after(() => process.kill(Number(pid)));
    await script.logged(/ended with status 1/);
    assert.equal(script.bench.lines[0], "info: test: last");
  });

  it("goes with mptcpd", async (t) => {
    const script = new Script(t, "echo $$ >pid; exec sleep 60");
    await script.bench.start();
    const [pid] = await script.read("pid", 1);
    script.bench.runtime.close();
    await waitFor("its end", () => !existsSync(`/proc/${pid}`));
    assert.deepEqual(script.bench.lines, []);
  });
});

describe("a program that cannot be a path manager", () => {
  it("is not there, is a directory, or could have been written by anybody", (t) => {
    const { path, directory } = new Script(t, "");
    assert.throws(() => execPathManager("test", [`${path}s`]), /there is no program .*scripts/);
    assert.throws(() => execPathManager("test", [directory]), /is not a regular file/);
    chmodSync(path, 0o777);
    assert.throws(() => execPathManager("test", [path]), { code: "EUNTRUSTED" });
  });

  it("cannot be executed", (t) => {
    const { path } = new Script(t, "");
    chmodSync(path, 0o644);
    assert.throws(() => execPathManager("test", [path]), /cannot be executed: allow it with chmod \+x/);
  });
});
