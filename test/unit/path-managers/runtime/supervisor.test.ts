import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { PluginSource } from "../../../../src/path-managers/runtime/sources.ts";
import { PluginSupervisor } from "../../../../src/path-managers/runtime/supervisor.ts";
import {
  PluginsRefusedError,
  type WorkerEvents,
  type WorkerFailure,
} from "../../../../src/path-managers/runtime/worker.ts";
import { VirtualClock } from "../../../../src/path-managers/simulation/clock.ts";
import { input, prepared } from "./fake-thread.ts";
import { logTo } from "./fakes.ts";

const crash: WorkerFailure = { what: "ended with status 1", plugin: undefined, loading: undefined };

describe("a thread of path managers that fails", () => {
  it("is replaced at once, and then after longer and longer pauses, of at most 30 s", async () => {
    const world = await World.started();
    await world.failRepeatedly(9);
    assert.deepEqual(world.pauses, [0, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  it("is replaced at once again when it has worked for a minute", async () => {
    const world = await World.started();
    await world.failRepeatedly(4);
    await world.clock.advance(60_001);
    await world.failRepeatedly(2);
    assert.deepEqual(world.pauses.slice(4), [0, 1000]);
  });

  it("has not proven itself in a minute in which the machine was suspended", async () => {
    const world = await World.started();
    await world.failRepeatedly(4);
    await world.clock.advance(1000);
    world.clock.block(8 * 3_600_000);
    await world.clock.advance(1000);
    await world.failRepeatedly(1);
    assert.deepEqual(world.pauses.slice(4), [8000]);
  });

  it("has not proven itself by pauses between attempts that fail", async () => {
    const world = await World.started();
    await world.clock.advance(60_001);
    world.canStart = false;
    world.fail();
    await world.clock.advance(300_000);
    assert.ok(world.starts.length < 20, `${world.starts.length} starts in five minutes`);
    assert.match(world.lines.at(-1) ?? "", /could not be started; it is replaced in 30 s$/);
  });
});

describe("a thread that fails at the start", () => {
  it("does not keep mptcpd from starting where all that it runs is built in, and is replaced", async () => {
    const world = new World();
    world.canStart = false;
    await world.prepare();
    assert.match(
      world.lines.at(-1) ?? "",
      /^error: the path managers' thread could not be started: it ended with status 1; it is replaced$/,
    );
    world.canStart = true;
    await world.clock.advance(1000);
    assert.equal(world.starts.length, 2);
    assert.equal(world.lines.at(-1), "notice: the path managers are at work again");
  });

  it("is for an administrator to look at where there are plugins", async () => {
    const world = new World([{ kind: "file", name: "one", path: "/one.js", required: true }]);
    world.canStart = false;
    await assert.rejects(world.prepare(), PluginsRefusedError);
    assert.deepEqual(world.lines, []);
  });

  it("is stopped where mptcpd is asked to end", async () => {
    const world = new World();
    world.isSlow = true;
    const outcome = assert.rejects(world.prepare(), PluginsRefusedError);
    world.abort.abort();
    await outcome;
    assert.equal(world.stopped, 1);
  });
});

class World {
  readonly clock = new VirtualClock();
  readonly abort = new AbortController();
  readonly lines: string[] = [];
  /** When threads were started. */
  readonly starts: number[] = [];
  /** Between the failure of one and the start of the next. */
  readonly pauses: number[] = [];
  canStart = true;
  isSlow = false;
  stopped = 0;
  #events: WorkerEvents | undefined;
  readonly #sources: readonly PluginSource[];

  constructor(sources: readonly PluginSource[] = input.sources) {
    this.#sources = sources;
  }

  static async started(): Promise<World> {
    const world = new World();
    await world.prepare();
    return world;
  }

  prepare(): Promise<PluginSupervisor> {
    const { clock, abort } = this;
    return PluginSupervisor.prepare(
      { ...input, sources: this.#sources },
      {
        ...{ clock, signal: abort.signal, log: logTo(this.lines) },
        ...{ onCharge: () => undefined, onWanted: () => undefined, onEndpointCommand: async () => undefined },
        start: (_, events) => this.#start(events),
      },
    );
  }

  /** The thread of this moment fails. */
  fail(): void {
    this.#events?.failed(crash);
  }

  /** Each fails as soon as it is there. */
  async failRepeatedly(times: number): Promise<void> {
    for (let time = 0; time < times; time++) {
      const [before, at] = [this.starts.length, this.clock.now()];
      this.fail();
      for (let passed = 0; passed < 60_000 && this.starts.length === before; passed += 100)
        await this.clock.advance(passed === 0 ? 0 : 100);
      this.pauses.push((this.starts.at(-1) ?? 0) - at);
    }
  }

  #start(events: WorkerEvents) {
    this.starts.push(this.clock.now());
    this.#events = events;
    const refusal = new PluginsRefusedError(["the path managers' thread ended with status 1"], crash);
    let refuse = (_: Error): void => undefined;
    return {
      hasFailed: false,
      prepare: () => {
        if (this.isSlow)
          return new Promise<typeof prepared>((_, reject) => {
            refuse = reject;
          });
        return this.canStart ? Promise.resolve(prepared) : Promise.reject(refusal);
      },
      takeOver: async () => [],
      answer: () => undefined,
      stop: async () => {
        this.stopped++;
        refuse(new PluginsRefusedError(["was stopped"]));
      },
    };
  }
}
