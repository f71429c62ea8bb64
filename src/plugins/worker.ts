import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { Worker } from "node:worker_threads";
import { killChildrenOf } from "../kernel/children.ts";
import type { Level } from "../log/log.ts";
import { describeError, stackOf } from "./describe-error.ts";
import { LineSplitter } from "./line-splitter.ts";
import {
  type FromWorker,
  LOAD_DEADLINE,
  type NamedPlugin,
  Pulse,
  pulseEvents,
  type ToWorker,
  type WorkerInput,
} from "./protocol.ts";
import type { PluginSource } from "./sources.ts";

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
  /** What it was loading. */
  readonly loading: PluginSource | undefined;
}

export type Prepared = FromWorker & { readonly kind: "prepared" };

/** The configuration asks for plugins that cannot be loaded. */
export class PluginsRefusedError extends Error {
  override readonly name = "PluginsRefusedError";
  readonly code = "EPLUGINS";
  readonly lines: readonly string[];
  /** How the thread failed that should have loaded them; undefined: it said what is wrong. */
  readonly failure: WorkerFailure | undefined;

  constructor(lines: readonly string[], failure?: WorkerFailure) {
    super(lines.join("\n"));
    this.lines = lines;
    this.failure = failure;
  }
}

/** Milliseconds between two looks at the pulse, and without a beat until the thread is taken for blocked. */
const LOOK = 500;
const BLOCKED = 2000;
/** The same while it loads: on a small or busy machine that holds up the thread for seconds. */
const BLOCKED_LOADING = 10_000;
/** Milliseconds that it may take to be ready, beside the time for each file. */
const PREPARE_DEADLINE = 30_000;
/** The endpoints do not wait any longer for a thread that cannot get at the connections, and goes on trying. */
const TAKE_OVER_DEADLINE = 5000;
/** Milliseconds that stopping may take, and then ending. */
const STOP_DEADLINE = 2000;
const END_DEADLINE = 1000;
/** MiB of objects that outlive a collection: a plugin that leaks must not take the daemon with it. */
const LARGEST_HEAP = 1024;
/** MiB of what is no object, buffers for the most part, which Node sets no limit to. */
const LARGEST_BUFFERS = 1024;
const MIB = 1024 * 1024;
/** Characters. */
const LONGEST_LINE = 64 * 1024;

const alive = new Set<PluginWorker>();

/**
 * Whether a thread is left, though all were ended: it is in a system call that does not return, and the process does not
 * end by itself.
 */
export function isThreadCaught(): boolean {
  return alive.size > 0;
}

/** One thread of path managers, seen from the daemon's. */
export class PluginWorker {
  readonly #worker: Worker;
  readonly #events: WorkerEvents;
  readonly #pulse: Int32Array;
  readonly #waiting = new Map<FromWorker["kind"], (message: FromWorker) => void>();
  readonly #look: NodeJS.Timeout;
  /** It has ended, or has failed: perhaps it never ends. */
  readonly #over: Promise<void>;
  #resolveOver: () => void = () => undefined;
  readonly #sources: readonly PluginSource[];
  #plugins: readonly NamedPlugin[] = [];
  #error: unknown;
  #failure: WorkerFailure | undefined;
  #isPrepared = false;
  #isStopping = false;
  #lastLook = performance.now();
  #lastBeat = performance.now();
  #beats = 0;
  /** MiB that the process had when the thread last showed that it is alive. */
  #memory = megabytes();

  /** Starts a thread. `prepare` waits for it. */
  constructor(input: Omit<WorkerInput, "pulse">, events: WorkerEvents) {
    const memory = new SharedArrayBuffer(4 * Pulse.length);
    const workerData: WorkerInput = { ...input, pulse: memory };
    this.#events = events;
    this.#sources = input.sources;
    this.#pulse = new Int32Array(memory);
    this.#worker = new Worker(threadFile(), {
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: LARGEST_HEAP },
      // Our own might be a pipe that is full, or has no reader any more.
      stdout: true,
      stderr: true,
    });
    for (const stream of [this.#worker.stdout, this.#worker.stderr]) this.#logLines(stream);
    this.#worker.on("message", (message: FromWorker) => this.#receive(message));
    this.#worker.on("error", (error) => {
      this.#error = error;
    });
    this.#over = new Promise((resolve) => {
      this.#resolveOver = resolve;
    });
    alive.add(this);
    this.#worker.on("exit", (status) => {
      alive.delete(this);
      this.#fail(this.#crash(status));
      this.#resolveOver();
    });
    this.#look = setInterval(() => this.#feelPulse(), LOOK).unref();
  }

  /** Resolves when all is loaded. Throws PluginsRefusedError; another error if the thread ends instead. */
  async prepare(): Promise<Prepared> {
    const deadline = PREPARE_DEADLINE + this.#sources.length * LOAD_DEADLINE;
    const answer = await Promise.race([
      this.#next("prepared"),
      this.#next("refused"),
      this.#over.then(() => undefined),
      after(deadline),
    ]);
    if (answer?.kind === "prepared") {
      this.#plugins = answer.plugins;
      this.#isPrepared = true;
      return answer;
    }
    const failure = this.#failure ?? this.#failureAt(`was not ready in ${deadline / 1000} s,`, "in");
    const isAskedToStop = this.#isStopping && this.#failure === undefined;
    await this.stop();
    if (answer?.kind === "refused") throw new PluginsRefusedError(answer.errors);
    if (isAskedToStop) throw new PluginsRefusedError(["the path managers' thread was stopped"]);
    throw new PluginsRefusedError([`the path managers' thread ${failure.what}`], failure);
  }

  /** Lets it go to work; resolves when it has told its path managers all that there is, takes too long, or is over. */
  async takeOver(withoutGap = false): Promise<void> {
    const running = this.#next("running");
    this.#post({ kind: "takeOver", withoutGap });
    await Promise.race([running, this.#over, after(TAKE_OVER_DEADLINE)]);
  }

  /** It ended by itself, or had to be ended. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Ends it: what it has to put away it does first, if it still can. */
  async stop(): Promise<void> {
    if (!this.#isStopping) {
      this.#isStopping = true;
      this.#post({ kind: "stop" });
      await Promise.race([this.#next("stopped"), this.#over, after(STOP_DEADLINE)]);
    }
    await this.#end();
  }

  /** A thread in a system call cannot be ended: nobody waits for it, but what it may be waiting for is ended. */
  async #end(): Promise<void> {
    clearInterval(this.#look);
    if (alive.has(this)) killChildrenOf(Atomics.load(this.#pulse, Pulse.thread));
    await Promise.race([this.#worker.terminate(), after(END_DEADLINE)]);
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

  /** What Node itself prints; plugins' own words come as messages. */
  #logLines(stream: Readable): void {
    const log = (level: Level, message: string): void =>
      this.#events.message({ kind: "log", level, message, fields: {} });
    const lines = new LineSplitter(
      LONGEST_LINE,
      (line) => log("info", `a plugin wrote: ${line}`),
      () => log("warning", `a plugin wrote a line of more than ${LONGEST_LINE} characters; no more is shown`),
    );
    stream.setEncoding("utf8").on("data", (text: string) => lines.push(text));
  }

  #feelPulse(): void {
    const now = performance.now();
    const beats = Atomics.load(this.#pulse, Pulse.beats);
    if (beats !== this.#beats) this.#memory = megabytes();
    // If this thread slept as well, the machine was suspended, or is overloaded: that says nothing.
    if (beats !== this.#beats || now - this.#lastLook > 2 * LOOK) this.#lastBeat = now;
    this.#beats = beats;
    const buffers = Math.max(Atomics.load(this.#pulse, Pulse.buffers), megabytes() - this.#memory);
    if (buffers > LARGEST_BUFFERS) this.#fail(this.#failureAt("takes more than 1 GiB of memory,", "in"));
    this.#lastLook = now;
    const limit = this.#isPrepared ? BLOCKED : BLOCKED_LOADING;
    if (now - this.#lastBeat < limit) return;
    this.#fail(this.#failureAt(`was blocked for ${limit / 1000} s`, "by"));
  }

  #crash(status: number): WorkerFailure {
    const why = this.#error === undefined ? `status ${status}` : describeError(this.#error);
    const failure = this.#failureAt(`ended with ${why},`, "in");
    const guilty = this.#plugins.find(
      ({ file }) => file !== undefined && stackOf(this.#error).includes(file),
    );
    return { ...failure, plugin: failure.plugin ?? guilty?.name };
  }

  /** A failure, and whose code runs there at the moment, or ran last: "… by wifi-first (newSubflow)". */
  #failureAt(what: string, preposition: string): WorkerFailure {
    const plugin = this.#plugins[Atomics.load(this.#pulse, Pulse.plugin) - 1]?.name;
    const event = pulseEvents[Atomics.load(this.#pulse, Pulse.event) - 1];
    const loading = this.#sources[Atomics.load(this.#pulse, Pulse.loading) - 1];
    const where =
      loading !== undefined
        ? `${loading.kind === "file" ? loading.path : loading.name} (loading)`
        : plugin && `${plugin} (${event})`;
    return {
      what: where === undefined ? what.replace(/,$/, "") : `${what} ${preposition} ${where}`,
      ...{ plugin, loading },
    };
  }

  #fail(failure: WorkerFailure): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#failure = failure;
    this.#resolveOver();
    void this.#end();
    // Before, it is for `prepare` to say.
    if (this.#isPrepared) this.#events.failed(failure);
  }
}

/** Beside this file (bundled programs), or where the tests' build has it. */
function threadFile(): string {
  const bundled = join(import.meta.dirname, "plugin-thread.js");
  return existsSync(bundled) ? bundled : join(import.meta.dirname, "../mptcpd/plugin-thread.js");
}

/** What this process has in memory, all threads together. */
function megabytes(): number {
  return process.memoryUsage.rss() / MIB;
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
