import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { createLogger } from "../../../../src/base/log/log.ts";
import { SystemError } from "../../../../src/kernel/netlink/addon.ts";
import { KernelError, TimeoutError } from "../../../../src/kernel/netlink/errors.ts";
import { persist } from "../../../../src/kernel/netlink/persist.ts";
import { VirtualClock } from "../../../../src/path-managers/simulation/clock.ts";

const EPERM = 1;
const EBUSY = 16;

describe("a request that the start cannot do without", () => {
  it("is repeated until the kernel answers, after longer and longer pauses, and the log says so", async () => {
    const world = new World();
    const failures = [
      new TimeoutError("list links", 5000),
      new KernelError("list links", EBUSY),
      new SystemError("open a socket", -24),
    ];
    const outcome = world.persist(() => {
      const failure = failures.shift();
      return failure ? Promise.reject(failure) : Promise.resolve("links");
    });
    await world.clock.advance(10_000);
    assert.equal(await outcome, "links");
    assert.deepEqual(world.attempts, [0, 100, 300, 700]);
    assert.deepEqual(world.lines, [
      "warning: cannot list links: no answer from the kernel in 5000 ms; waiting for the kernel, the next attempt is in 100 ms",
      "warning: cannot list links: resource busy or locked (EBUSY); waiting for the kernel, the next attempt is in 200 ms",
      "warning: open a socket: too many open files (EMFILE); waiting for the kernel, the next attempt is in 400 ms",
      "notice: the kernel answers again",
    ]);
  });

  it("is repeated for ever, but not more seldom than every 5 s", async () => {
    const world = new World();
    void world.persist(() => Promise.reject(new TimeoutError("list links", 5000))).catch(() => undefined);
    await world.clock.advance(3_600_000);
    const pauses = world.attempts.slice(1).map((at, index) => at - (world.attempts[index] ?? 0));
    assert.deepEqual(pauses.slice(0, 8), [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    assert.ok(world.attempts.length > 700, `${world.attempts.length} attempts in an hour`);
    world.abort.abort();
  });

  it("keeps the process running between two attempts, when nothing else does", async () => {
    const module = (name: string) => JSON.stringify(new URL(`../../../../src/${name}.js`, import.meta.url));
    const script = `
      import { createLogger, nullSink } from ${module("base/log/log")};
      import { TimeoutError } from ${module("kernel/netlink/errors")};
      import { persist } from ${module("kernel/netlink/persist")};
      import { systemClock } from ${module("base/clock")};
      const log = createLogger({ sink: nullSink, debug: false });
      let attempts = 0;
      const attempt = async () => { if (++attempts < 3) throw new TimeoutError("list links", 5000); return "links"; };
      void persist(attempt, { log, clock: systemClock }).then((answer) => console.log(answer));
    `;
    const args = ["--input-type=module", "--eval", script];
    assert.equal((await promisify(execFile)(process.execPath, args)).stdout, "links\n");
  });

  it("is not repeated where that changes nothing", async () => {
    const world = new World();
    await assert.rejects(
      world.persist(() => Promise.reject(new KernelError("list links", EPERM))),
      { code: "EPERM" },
    );
    assert.deepEqual([world.attempts, world.lines], [[0], []]);
  });

  it("ends with the reason of the signal, while it waits for an answer and between two attempts", async () => {
    for (const attempt of [
      () => new Promise(() => undefined),
      () => Promise.reject(new TimeoutError("list links", 5000)),
    ]) {
      const world = new World();
      const outcome = assert.rejects(world.persist(attempt), /enough/);
      await world.clock.advance(50);
      world.abort.abort(new Error("enough"));
      await outcome;
      await world.clock.advance(60_000);
      assert.equal(world.attempts.length, 1);
    }
  });
});

class World {
  readonly clock = new VirtualClock();
  readonly abort = new AbortController();
  readonly lines: string[] = [];
  /** When they were made. */
  readonly attempts: number[] = [];

  persist<T>(attempt: () => Promise<T>): Promise<T> {
    const log = createLogger({
      sink: {
        write: ({ level, message }) => this.lines.push(`${level}: ${message}`),
        close: () => undefined,
      },
      debug: true,
    });
    const { clock, abort } = this;
    return persist(
      () => {
        this.attempts.push(clock.now());
        return attempt();
      },
      { log, clock, signal: abort.signal },
    );
  }
}
