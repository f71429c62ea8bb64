import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FromThread, Prepared } from "../../../../src/path-managers/runtime/messages.ts";
import type { PluginSource } from "../../../../src/path-managers/runtime/plugin-config.ts";
import {
  PathManagersRefusedError,
  type PathManagerThreadEvents,
  type ThreadFailure,
} from "../../../../src/path-managers/runtime/thread-failure.ts";
import type { ThreadInput } from "../../../../src/path-managers/runtime/thread-input.ts";
import { ThreadSupervisor } from "../../../../src/path-managers/runtime/thread-supervisor.ts";
import { VirtualClock } from "../../../../src/path-managers/simulation/clock.ts";
import { input, prepared } from "./fake-thread.ts";
import { logTo } from "./fakes.ts";

const crash: ThreadFailure = { what: "ended with status 1", pathManager: undefined, loading: undefined };

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
    await assert.rejects(world.prepare(), PathManagersRefusedError);
    assert.deepEqual(world.lines, []);
  });

  it("is stopped where mptcpd is asked to end", async () => {
    const world = new World();
    world.isSlow = true;
    const outcome = assert.rejects(world.prepare(), PathManagersRefusedError);
    world.abort.abort();
    await outcome;
    assert.equal(world.stopped, 1);
  });
});

describe("a fault that a thread ends with", () => {
  const files = [file("one"), file("two")];

  it("is counted for whose code was at work, over the lives of threads, and for nobody else", async () => {
    const world = await World.started(files);
    for (let time = 0; time < 2; time++) {
      world.fail({ ...crash, pathManager: "one" });
      await world.clock.advance(2000);
    }
    assert.deepEqual(world.faults, ["error: one: fault 1 of 3", "error: one: fault 2 of 3"]);
    assert.deepEqual(world.inputs.at(-1)?.faults, new Map([["one", 2]]));
  });

  it("is counted for the path manager of the file that was being loaded", async () => {
    const world = await World.started(files);
    world.fail({ ...crash, loading: file("two") });
    assert.deepEqual(world.faults, ["error: two: fault 1 of 3"]);
  });

  it("is counted for all from files where nobody knows whose it is, and never for built-in ones", async () => {
    const world = await World.started([...input.sources, ...files]);
    world.fail();
    const unknown = "as all from files: nobody knows whose it is";
    assert.deepEqual(world.faults, [
      `error: one: fault 1 of 3, ${unknown}`,
      `error: two: fault 1 of 3, ${unknown}`,
    ]);
  });

  it("is counted for nobody where nobody knows whose it is and the thread had worked for a minute", async () => {
    const world = await World.started(files);
    await world.clock.advance(60_001);
    world.fail();
    assert.deepEqual(world.faults, []);
    // It still is for whose it is known to be.
    await world.clock.advance(60_001);
    world.fail({ ...crash, pathManager: "one" });
    assert.deepEqual(world.faults, ["error: one: fault 1 of 3"]);
  });

  it("has a path manager stopped at the third time: its file is left out, the others go on", async () => {
    const world = await World.started(files);
    for (let time = 0; time < 3; time++) {
      world.fail({ ...crash, pathManager: "one" });
      await world.clock.advance(4000);
    }
    assert.equal(world.faults.at(-1), "error: one: fault 3 of 3; it is stopped");
    const { sources, stopped } = world.inputs.at(-1) ?? {};
    assert.deepEqual([sources, stopped], [[file("two")], ["one"]]);
    // Who is stopped is not blamed for what others do.
    world.fail();
    assert.equal(world.faults.length, 4);
    assert.match(world.faults[3] ?? "", /^error: two: fault 1 of 3/);
  });

  it("adds to those that the thread itself has counted", async () => {
    const world = await World.started(files);
    world.say({ kind: "fault", pathManager: "one", count: 2 });
    world.fail({ ...crash, pathManager: "one" });
    assert.deepEqual(world.faults, ["error: one: fault 3 of 3; it is stopped"]);
  });

  it("is not counted when an ended thread speaks of it, whose log is still told", async () => {
    const world = await World.started(files);
    const old = world.events;
    world.fail({ ...crash, pathManager: "one" });
    await world.clock.advance(1000);
    old?.message({ kind: "fault", pathManager: "two", count: 3 });
    old?.message({ kind: "log", level: "notice", message: "the last word", fields: {} });
    old?.failed(crash);
    await world.clock.advance(60_001);
    assert.deepEqual(world.faults, ["error: one: fault 1 of 3"]);
    assert.equal(world.lines.at(-1), "notice: the last word");
    world.fail();
    await world.clock.advance(0);
    assert.deepEqual(world.inputs.at(-1)?.faults, new Map([["one", 1]]));
  });
});

describe("another configuration", () => {
  it("begins anew: no faults, and no pause before a replacement", async () => {
    const world = await World.started([file("one")]);
    for (let time = 0; time < 2; time++) {
      world.fail({ ...crash, pathManager: "one" });
      await world.clock.advance(4000);
    }
    await world.replace();
    assert.deepEqual(world.inputs.at(-1)?.faults, new Map());
    world.fail({ ...crash, pathManager: "one" });
    assert.match(world.lines.at(-2) ?? "", /; it is replaced$/);
    assert.equal(world.lines.at(-1), "error: one: fault 1 of 3");
  });

  it("that is refused changes nothing: faults count on", async () => {
    const world = await World.started([file("one")]);
    world.fail({ ...crash, pathManager: "one" });
    await world.clock.advance(1000);
    world.canStart = false;
    await assert.rejects(world.replace(), PathManagersRefusedError);
    world.canStart = true;
    world.fail({ ...crash, pathManager: "one" }, world.working);
    assert.equal(world.lines.at(-1), "error: one: fault 2 of 3");
  });

  it("takes the place of a replacement that waits", async () => {
    const world = await World.started([file("one")]);
    for (let time = 0; time < 2; time++) {
      world.fail({ ...crash, pathManager: "one" });
      await world.clock.advance(100);
    }
    await world.replace();
    const starts = world.starts.length;
    await world.clock.advance(60_000);
    assert.equal(world.starts.length, starts);
  });

  it("takes the place of a replacement that is under way", async () => {
    const world = await World.started([file("one")]);
    world.isSlow = true;
    world.fail({ ...crash, pathManager: "one" });
    await world.clock.advance(100);
    world.isSlow = false;
    await world.replace();
    const lines = world.lines.length;
    world.finish();
    await world.clock.advance(60_000);
    assert.deepEqual(world.lines.slice(lines), []);
    assert.equal(world.starts.length, 3);
  });
});

function file(name: string) {
  return { kind: "file", name, path: `/plugins/${name}.js`, required: true } as const;
}

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
  /** Lets the slow one be prepared. */
  finish: () => void = () => undefined;
  stopped = 0;
  /** What threads were started with. */
  readonly inputs: Omit<ThreadInput, "pulse">[] = [];
  /** Of the thread that was started last, and of the one that works. */
  events: PathManagerThreadEvents | undefined;
  working: PathManagerThreadEvents | undefined;
  #supervisor: ThreadSupervisor | undefined;
  readonly #sources: readonly PluginSource[];

  constructor(sources: readonly PluginSource[] = input.sources) {
    this.#sources = sources;
  }

  static async started(sources?: readonly PluginSource[]): Promise<World> {
    const world = new World(sources);
    await world.prepare();
    return world;
  }

  async prepare(): Promise<void> {
    const { clock, abort } = this;
    this.#supervisor = await ThreadSupervisor.prepare(
      { ...input, sources: this.#sources },
      {
        ...{ clock, signal: abort.signal, log: logTo(this.lines) },
        ...{
          onResponsibility: () => undefined,
          onWanted: () => undefined,
          onEndpointCommand: async () => undefined,
        },
        start: (given, events) => this.#start(given, events),
      },
    );
  }

  /** Of faults. */
  get faults(): string[] {
    return this.lines.filter((line) => line.includes(": fault "));
  }

  async replace(): Promise<void> {
    await this.#supervisor?.replace({ ...input, sources: this.#sources }, () => undefined);
  }

  say(message: FromThread): void {
    this.events?.message(message);
  }

  /** The thread of this moment fails. */
  fail(failure: ThreadFailure = crash, events = this.events): void {
    events?.failed(failure);
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

  #start(given: Omit<ThreadInput, "pulse">, events: PathManagerThreadEvents) {
    this.starts.push(this.clock.now());
    this.inputs.push({ ...given, faults: new Map(given.faults) });
    this.events = events;
    const pathManagers = given.sources.map((source) => ({
      name: source.name,
      file: source.kind === "file" ? source.path : undefined,
    }));
    if (this.canStart) this.working = events;
    const refusal = new PathManagersRefusedError(["the path managers' thread ended with status 1"], crash);
    let refuse = (_: Error): void => undefined;
    return {
      hasFailed: false,
      prepare: () => {
        if (this.isSlow)
          return new Promise<Prepared>((resolve, reject) => {
            refuse = reject;
            this.finish = () => resolve({ ...prepared, pathManagers });
          });
        return this.canStart ? Promise.resolve({ ...prepared, pathManagers }) : Promise.reject(refusal);
      },
      takeOver: async () => [],
      answer: () => undefined,
      stop: async () => {
        this.stopped++;
        refuse(new PathManagersRefusedError(["was stopped"]));
      },
    };
  }
}
