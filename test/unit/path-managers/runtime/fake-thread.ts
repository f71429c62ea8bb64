import type { OpenThread, ThreadEvents } from "../../../../src/path-managers/runtime/open-thread.ts";
import {
  type FromWorker,
  Pulse,
  type ToWorker,
  type WorkerInput,
} from "../../../../src/path-managers/runtime/protocol.ts";
import type { PluginSource } from "../../../../src/path-managers/runtime/sources.ts";
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
  checkpoint: { file: "/dev/null", bootId: "" },
  faults: new Map(),
  debug: false,
};

export const prepared: FromWorker & { readonly kind: "prepared" } = {
  kind: "prepared",
  plugins: [{ name: "fullmesh", file: undefined }],
  warnings: [],
  charge: { connections: ["fullmesh"], needs: "any", endpoints: undefined },
};

/** A thread that says what the test says, in virtual time, and is alive. */
export class FakeThread {
  readonly clock = new VirtualClock();
  readonly told: ToWorker["kind"][] = [];
  isTerminated = false;
  /** Whether it does not answer when it is told to stop. */
  isDeaf = false;
  #events: ThreadEvents | undefined;
  #pulse: Int32Array = new Int32Array(Pulse.length);

  readonly open: OpenThread = (given: WorkerInput, events) => {
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

  say(...messages: readonly FromWorker[]): void {
    for (const message of messages) this.#events?.message(message);
  }

  #beat(): void {
    Atomics.add(this.#pulse, Pulse.beats, 1);
    if (!this.isTerminated) this.clock.schedule(250, () => this.#beat());
  }
}
