import { type Clock, systemClock, type Timer } from "../../base/clock.ts";
import { RunningClock, within } from "../../base/deadlines.ts";
import {
  childrenOfMainThread,
  killChildrenOf,
  killGroupsLeft,
  type ThreadUsage,
  threadUsages,
} from "../../kernel/threads.ts";
import {
  type FromThread,
  isOfKind,
  MessageError,
  type NamedPathManager,
  type PackedError,
  type Prepared,
  readFromThread,
} from "./messages.ts";
import { type OpenThread, openThread, type Thread, ThreadStartError } from "./open-thread.ts";
import type { PluginSource } from "./plugin-config.ts";
import { MemoryWatch, Pulse, PulseWatch } from "./pulse.ts";
import {
  crashOf,
  failureAt,
  PathManagersRefusedError,
  type PathManagerThreadEvents,
  type Place,
  type ThreadFailure,
} from "./thread-failure.ts";
import { LOAD_DEADLINE, type ThreadInput } from "./thread-input.ts";

/** Milliseconds without a beat until the thread is taken for blocked. */
const BLOCKED = 2000;
/** The same while it loads: on a small or busy machine that holds up the thread for seconds. */
const BLOCKED_LOADING = 10_000;
/** Milliseconds that it may take to load everything, beside the time for each file. */
const PREPARE_DEADLINE = 30_000;
/** The endpoints do not wait any longer for a thread that cannot get at the connections, and goes on trying. */
const TAKE_OVER_DEADLINE = 5000;
/** Milliseconds that stopping may take, and then ending. */
const STOP_DEADLINE = 2000;
const END_DEADLINE = 1000;
/** Milliseconds between the end of a thread and a look at the programs that it has left. */
const CHILDREN_PAUSE = 100;

const alive = new Set<PathManagerThread>();

/**
 * Whether a thread is left, though all were ended: it is in a system call that does not return, and the process does
 * not end by itself.
 */
export function isThreadCaught(): boolean {
  return alive.size > 0;
}

export interface ThreadSurroundings {
  readonly clock: Clock;
  readonly open: OpenThread;
  /** What the process's threads but the main one are doing. */
  readonly usages: () => ReadonlyMap<number, ThreadUsage>;
}

const realSurroundings: ThreadSurroundings = { clock: systemClock, open: openThread, usages: otherThreads };

/** One thread of path managers, seen from the daemon's. */
export class PathManagerThread {
  readonly #thread: Thread;
  /** For deadlines. */
  readonly #clock: Clock;
  readonly #events: PathManagerThreadEvents;
  readonly #pulse: Int32Array;
  readonly #waiting = new Map<FromThread["kind"], (message: FromThread) => void>();
  readonly #watch: PulseWatch;
  /** It has ended, or has failed: perhaps it never ends. */
  readonly #over: Promise<void>;
  #resolveOver: () => void = () => undefined;
  readonly #sources: readonly PluginSource[];
  readonly #isRehearsal: boolean;
  #pathManagers: readonly NamedPathManager[] = [];
  #error: unknown;
  #failure: ThreadFailure | undefined;
  #isPrepared = false;
  #isStopping = false;
  readonly #memory: MemoryWatch;

  /** Starts a thread. `prepare` waits for it. */
  constructor(
    input: Omit<ThreadInput, "pulse">,
    events: PathManagerThreadEvents,
    { clock, open, usages }: ThreadSurroundings = realSurroundings,
  ) {
    const memory = new SharedArrayBuffer(4 * Pulse.length);
    const workerData: ThreadInput = { ...input, pulse: memory };
    this.#events = events;
    this.#sources = input.sources;
    this.#isRehearsal = input.rehearsal === true;
    this.#pulse = new Int32Array(memory);
    this.#memory = new MemoryWatch(this.#pulse);
    this.#clock = new RunningClock(clock);
    this.#over = new Promise((resolve) => {
      this.#resolveOver = resolve;
    });
    alive.add(this);
    const others = childrenOfMainThread();
    this.#thread = open(workerData, {
      message: (message) => this.#read(message),
      error: (error) => {
        this.#error = error;
      },
      exit: (status) => {
        alive.delete(this);
        // A thread is joined shortly before the kernel gives its children away.
        if (!this.#isStopping) clock.schedule(CHILDREN_PAUSE, () => killGroupsLeft(others));
        this.#fail(crashOf(this.#place, status, this.#error));
        this.#resolveOver();
      },
    });
    this.#watch = new PulseWatch({
      ...{ pulse: this.#pulse, clock, usages },
      limit: () => (this.#isPrepared ? BLOCKED : BLOCKED_LOADING),
      onLook: (isAlive) => this.#measure(isAlive),
      onBlocked: (limit) => this.#fail(failureAt(this.#place, `was blocked for ${limit / 1000} s`, "by")),
      onHeld: (held) => this.#warn(`waits for the kernel: a request has not returned for ${held / 1000} s`),
    });
  }

  /**
   * Resolves when all is loaded, and the thread has read from the kernel what it needs: there is a deadline for the
   * first, but none for the kernel. Throws PathManagersRefusedError; another error if the thread ends instead.
   */
  async prepare(): Promise<Prepared> {
    const deadline = PREPARE_DEADLINE + this.#sources.length * LOAD_DEADLINE;
    let timer: Timer | undefined;
    const tooLate = new Promise<undefined>((resolve) => {
      timer = this.#clock.schedule(deadline, () => resolve(undefined));
    });
    void this.#next("loaded").then(() => timer?.cancel());
    const answer = await Promise.race([
      this.#next("prepared"),
      this.#next("refused"),
      this.#over.then(() => undefined),
      tooLate,
    ]);
    timer?.cancel();
    if (answer?.kind === "prepared") {
      this.#pathManagers = answer.pathManagers;
      this.#isPrepared = true;
      // The limit is shorter from now on, so the time that it took to load no longer counts.
      this.#watch.restart();
      return answer;
    }
    const failure = this.#failure ?? failureAt(this.#place, `was not ready in ${deadline / 1000} s,`, "in");
    const isAskedToStop = this.#isStopping && this.#failure === undefined;
    await this.stop();
    if (answer?.kind === "refused") throw new PathManagersRefusedError(answer.errors);
    if (isAskedToStop) throw new PathManagersRefusedError(["the path managers' thread was stopped"]);
    // No path manager is to blame where the system has no thread to spare.
    const blamed = this.#error instanceof ThreadStartError ? undefined : failure;
    throw new PathManagersRefusedError([`the path managers' thread ${failure.what}`], blamed);
  }

  /**
   * Lets it go to work; resolves when it has told its path managers all that there is, takes too long, or is over.
   *
   * @returns why it does not work as it should, a line each, as far as that is known by then
   */
  async takeOver(withoutGap = false): Promise<readonly string[]> {
    const running = this.#next("running");
    this.#thread.post({ kind: "takeOver", withoutGap });
    const answer = await within(this.#clock, TAKE_OVER_DEADLINE, Promise.race([running, this.#over]));
    if (this.#failure !== undefined) return [`the path managers' thread ${this.#failure.what}`];
    return typeof answer === "object" ? answer.failed : [];
  }

  /** Says what became of a command for endpoints. */
  answer(request: number, error: PackedError | undefined): void {
    this.#thread.post({ kind: "answer", request, error });
  }

  /** It ended by itself, or had to be ended. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Ends it: what it has to put away it does first, if it still can. */
  async stop(): Promise<void> {
    if (!this.#isStopping) {
      this.#isStopping = true;
      this.#thread.post({ kind: "stop" });
      await within(this.#clock, STOP_DEADLINE, Promise.race([this.#next("stopped"), this.#over]));
    }
    await this.#end();
  }

  /** A thread in a system call cannot be ended: nobody waits for it, but what it may be waiting for is ended. */
  async #end(): Promise<void> {
    this.#watch.stop();
    if (alive.has(this)) killChildrenOf(Atomics.load(this.#pulse, Pulse.thread));
    await within(this.#clock, END_DEADLINE, this.#thread.terminate());
  }

  #next<Kind extends FromThread["kind"]>(kind: Kind): Promise<FromThread & { readonly kind: Kind }> {
    return new Promise((resolve) => {
      this.#waiting.set(kind, (message) => {
        if (isOfKind(message, kind)) resolve(message);
      });
    });
  }

  #read(message: unknown): void {
    try {
      this.#receive(readFromThread(message));
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      this.#fail(failureAt(this.#place, `sent a wrong message (${error.message}),`, "in"));
    }
  }

  #receive(message: FromThread): void {
    // Whose setup runs is known by that.
    if (message.kind === "loaded" && this.#isRehearsal) this.#pathManagers = message.pathManagers;
    const waiting = this.#waiting.get(message.kind);
    this.#waiting.delete(message.kind);
    if (waiting === undefined) this.#events.message(message);
    else waiting(message);
  }

  get #place(): Place {
    return { pulse: this.#pulse, pathManagers: this.#pathManagers, sources: this.#sources };
  }

  #measure(isAlive: boolean): void {
    if (this.#memory.isTooMuch(isAlive))
      this.#fail(failureAt(this.#place, "takes more than 1 GiB of memory,", "in"));
  }

  #warn(what: string): void {
    const message = `the path managers' thread ${what}`;
    this.#events.message({ kind: "log", level: "warning", message, fields: {} });
  }

  #fail(failure: ThreadFailure): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#failure = failure;
    this.#resolveOver();
    void this.#end();
    // Before, it is for `prepare` to say.
    if (this.#isPrepared) this.#events.failed(failure);
  }
}

/** The main thread, which looks, is always runnable when it does. */
function otherThreads(): ReadonlyMap<number, ThreadUsage> {
  return new Map([...threadUsages()].filter(([thread]) => thread !== process.pid));
}
