import { existsSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import {
  type FromWorker,
  type NamedPlugin,
  Pulse,
  pulseEvents,
  type ToWorker,
  type WorkerInput,
} from "./protocol.ts";

export interface WorkerEvents {
  /** A message other than those that the methods here wait for. */
  message(message: FromWorker): void;
  /** It ended by itself, or was ended as it did not answer any more. */
  failed(failure: WorkerFailure): void;
}

export interface WorkerFailure {
  /** Completes "the path managers' thread …": "was blocked for 2 s by wifi-first (newSubflow)". */
  readonly what: string;
  /** Whose fault it was, as far as that can be told. */
  readonly plugin: string | undefined;
}

export type Prepared = FromWorker & { readonly kind: "prepared" };

/** The configuration asks for plugins that cannot be loaded. */
export class PluginsRefusedError extends Error {
  override readonly name = "PluginsRefusedError";
  readonly code = "EPLUGINS";
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join("\n"));
    this.lines = lines;
  }
}

/** Milliseconds between two looks at the pulse, and without a beat until the thread is taken for blocked. */
const LOOK = 500;
const BLOCKED = 2000;
/** Milliseconds that loading, and stopping, may take. */
const PREPARE_DEADLINE = 30_000;
/** The endpoints do not wait any longer for a thread that cannot get at the connections, and goes on trying. */
const TAKE_OVER_DEADLINE = 5000;
const STOP_DEADLINE = 1000;
/** MiB of objects that outlive a collection: a plugin that leaks must not take the daemon with it. */
const LARGEST_HEAP = 1024;

/** One thread of path managers, seen from the daemon's. */
export class PluginWorker {
  readonly #worker: Worker;
  readonly #events: WorkerEvents;
  readonly #pulse: Int32Array;
  readonly #waiting = new Map<FromWorker["kind"], (message: FromWorker) => void>();
  readonly #look: NodeJS.Timeout;
  readonly #exited: Promise<void>;
  #plugins: readonly NamedPlugin[] = [];
  #error: unknown;
  #isStopping = false;
  #isAlive = true;
  #lastLook = performance.now();
  #lastBeat = performance.now();
  #beats = 0;

  /** Starts a thread. `prepare` waits for it. */
  constructor(input: Omit<WorkerInput, "pulse">, events: WorkerEvents) {
    const memory = new SharedArrayBuffer(4 * Pulse.length);
    const workerData: WorkerInput = { ...input, pulse: memory };
    this.#events = events;
    this.#pulse = new Int32Array(memory);
    this.#worker = new Worker(threadFile(), {
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: LARGEST_HEAP },
    });
    this.#worker.on("message", (message: FromWorker) => this.#receive(message));
    this.#worker.on("error", (error) => {
      this.#error = error;
    });
    this.#exited = new Promise((resolve) => {
      this.#worker.on("exit", () => {
        this.#isAlive = false;
        resolve();
        this.#fail(crashOf(this.#error, this.#plugins));
      });
    });
    this.#look = setInterval(() => this.#feelPulse(), LOOK).unref();
  }

  /** Resolves when all is loaded. Throws PluginsRefusedError; another error if the thread ends instead. */
  async prepare(): Promise<Prepared> {
    const answer = await Promise.race([
      this.#next("prepared"),
      this.#next("refused"),
      this.#exited.then(() => undefined),
      after(PREPARE_DEADLINE),
    ]);
    if (answer?.kind === "prepared") {
      this.#plugins = answer.plugins;
      return answer;
    }
    await this.stop();
    if (answer?.kind === "refused") throw new PluginsRefusedError(answer.errors);
    const { what } = crashOf(this.#error ?? `was not ready in ${PREPARE_DEADLINE} ms`, []);
    throw new PluginsRefusedError([`the path managers' thread ${what}`]);
  }

  /** Lets it go to work; resolves when it has told its path managers all that there is, takes too long, or has ended. */
  async takeOver(withoutGap = false): Promise<void> {
    const running = this.#next("running");
    this.#post({ kind: "takeOver", withoutGap });
    await Promise.race([running, this.#exited, after(TAKE_OVER_DEADLINE)]);
  }

  /** Ends it: what it has to put away it does first, if it still can. */
  async stop(): Promise<void> {
    if (!this.#isStopping) this.#post({ kind: "stop" });
    this.#isStopping = true;
    await this.#endWithin(this.#next("stopped"));
  }

  /** False once it is gone, or is beyond reach in a system call that does not return. */
  get isAlive(): boolean {
    return this.#isAlive;
  }

  async #endWithin(farewell: Promise<unknown>): Promise<void> {
    await Promise.race([farewell, this.#exited, after(STOP_DEADLINE)]);
    clearInterval(this.#look);
    // A thread in a system call cannot be ended; nobody waits for it.
    await Promise.race([this.#worker.terminate(), after(STOP_DEADLINE)]);
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #next<Kind extends FromWorker["kind"]>(kind: Kind): Promise<FromWorker & { readonly kind: Kind }> {
    return new Promise((resolve) => {
      this.#waiting.set(kind, (message) => {
        if (isOfKind(message, kind)) resolve(message);
      });
    });
  }

  #receive(message: FromWorker): void {
    const waiting = this.#waiting.get(message.kind);
    this.#waiting.delete(message.kind);
    if (waiting === undefined) this.#events.message(message);
    else waiting(message);
  }

  #feelPulse(): void {
    const now = performance.now();
    const beats = Atomics.load(this.#pulse, Pulse.beats);
    // If this thread slept as well, the machine was suspended, or is overloaded: that says nothing.
    if (beats !== this.#beats || now - this.#lastLook > 2 * LOOK) this.#lastBeat = now;
    this.#beats = beats;
    this.#lastLook = now;
    if (now - this.#lastBeat < BLOCKED) return;
    const plugin = this.#plugins[Atomics.load(this.#pulse, Pulse.plugin) - 1]?.name;
    const event = pulseEvents[Atomics.load(this.#pulse, Pulse.event) - 1];
    const by = plugin === undefined ? "" : ` by ${plugin} (${event})`;
    this.#fail({ what: `was blocked for ${BLOCKED / 1000} s${by}`, plugin });
  }

  #fail(failure: WorkerFailure): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    void this.#endWithin(Promise.resolve());
    this.#events.failed(failure);
  }
}

/** Beside this file (bundled programs), or where the tests' build has it. */
function threadFile(): string {
  const bundled = join(import.meta.dirname, "plugin-thread.js");
  return existsSync(bundled) ? bundled : join(import.meta.dirname, "../mptcpd/plugin-thread.js");
}

function after(milliseconds: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), milliseconds).unref());
}

function isOfKind<Kind extends FromWorker["kind"]>(
  message: FromWorker,
  kind: Kind,
): message is FromWorker & { readonly kind: Kind } {
  return message.kind === kind;
}

function crashOf(error: unknown, plugins: readonly NamedPlugin[]): WorkerFailure {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error ?? "no reason given");
  const guilty = plugins.find(({ file }) => file !== undefined && text.includes(file));
  return { what: `ended: ${text}`, plugin: guilty?.name };
}
