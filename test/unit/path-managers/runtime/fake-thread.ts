import type { ThreadUsage } from "../../../../src/kernel/threads.ts";
import type { PostedByThread, ToThread } from "../../../../src/path-managers/runtime/messages.ts";
import type { OpenThread, ThreadEvents } from "../../../../src/path-managers/runtime/open-thread.ts";
import type { PluginSource } from "../../../../src/path-managers/runtime/plugin-config.ts";
import { Pulse, pulseEvents } from "../../../../src/path-managers/runtime/pulse.ts";
import type { ThreadInput } from "../../../../src/path-managers/runtime/thread-input.ts";
import { VirtualClock } from "../../../../src/path-managers/simulation/clock.ts";

export const input = {
  sources: [{ kind: "built-in", name: "fullmesh" }] satisfies PluginSource[],
  settings: {
    pathManagers: ["fullmesh"],
    plugins: new Map(),
    pluginDirectory: "/nowhere",
    pluginFaults: 3,
    removalDelay: 2000,
    origins: {},
  },
  known: ["fullmesh"],
  stopped: [],
  policy: { addressFlags: 0, notifyFlags: 0, paths: [] },
  checkpoint: { file: "/dev/null", lock: "/dev/null", bootId: "" },
  faults: new Map(),
  debug: false,
};

export const prepared = {
  kind: "prepared",
  pathManagers: [{ name: "fullmesh", file: undefined }],
  warnings: [],
  responsibility: { connections: ["fullmesh"], needs: "any", endpoints: undefined },
} satisfies PostedByThread;

/** A thread that says what the test says, in virtual time, and is alive. */
export class FakeThread {
  readonly clock = new VirtualClock();
  readonly told: ToThread["kind"][] = [];
  isTerminated = false;
  /** Whether it does not answer when it is told to stop. */
  isDeaf = false;
  /** Whether its pulse has stopped. */
  isBlocked = false;
  #events: ThreadEvents | undefined;
  #pulse: Int32Array = new Int32Array(Pulse.length);

  /** The kernel tells nothing of it: the real threads of this process live in another time. */
  readonly usages = (): ReadonlyMap<number, ThreadUsage> => new Map();

  readonly open: OpenThread = (given: ThreadInput, events) => {
    this.#events = events;
    this.#pulse = new Int32Array(given.pulse);
    this.#beat();
    return {
      post: ({ kind }) => {
        this.told.push(kind);
        if (kind === "stop" && !this.isDeaf) queueMicrotask(() => this.say({ kind: "stopped" }));
      },
      terminate: async () => {
        this.isTerminated = true;
        events.exit(1);
      },
    };
  };

  say(message: PostedByThread): void {
    this.post(message);
  }

  /** As users' code may. */
  post(message: unknown): void {
    this.#events?.message(structuredClone(message));
  }

  /** A handler runs, of the plugin of that number. */
  enter(pathManager: number, event: (typeof pulseEvents)[number]): void {
    Atomics.store(this.#pulse, Pulse.pathManager, pathManager);
    Atomics.store(this.#pulse, Pulse.event, pulseEvents.indexOf(event) + 1);
  }

  /** The source of that number is being loaded. */
  load(source: number): void {
    Atomics.store(this.#pulse, Pulse.loading, source);
  }

  exit(status: number): void {
    this.#events?.exit(status);
  }

  throw(error: unknown): void {
    this.#events?.error(error);
    this.exit(1);
  }

  #beat(): void {
    if (!this.isBlocked) Atomics.add(this.#pulse, Pulse.beats, 1);
    if (!this.isTerminated) this.clock.schedule(250, () => this.#beat());
  }
}
