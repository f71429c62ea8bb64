import { type Clock, systemClock, type Timer } from "../../base/clock.ts";
import { RunningClock } from "../../base/deadlines.ts";
import type { Logger } from "../../base/log/log.ts";
import type { EndpointCommand } from "../../control/endpoints/commands.ts";
import type { WantedEndpoints } from "../../control/policy/input.ts";
import { NetlinkError } from "../../kernel/netlink/errors.ts";
import { packError } from "./endpoint-commands.ts";
import type { FromThread, Prepared, Responsibility } from "./messages.ts";
import { PathManagerThread } from "./path-manager-thread.ts";
import type { PluginSource } from "./plugin-config.ts";
import {
  FaultCounts,
  PathManagersRefusedError,
  type PathManagerThreadEvents,
  pauseAfter,
  startThread,
  type ThreadFailure,
} from "./thread-failure.ts";
import type { ThreadInput } from "./thread-input.ts";

export type SupervisedInput = Omit<ThreadInput, "pulse" | "faults" | "stopped">;

/** A thread as the supervisor needs it. */
export type SupervisedThread = Pick<
  PathManagerThread,
  "prepare" | "takeOver" | "answer" | "hasFailed" | "stop"
>;

export interface SupervisorOptions {
  readonly log: Logger;
  /** Others decide than before, or the first time who does. */
  readonly onResponsibility: (responsibility: Responsibility) => void;
  /** Other endpoints are wanted than before. */
  readonly onWanted: (wanted: WantedEndpoints) => void;
  /** Carries out a path manager's command for endpoints. Rejects with a NetlinkError. */
  readonly onEndpointCommand: (command: EndpointCommand) => Promise<void>;
  readonly clock?: Clock;
  /** How a thread is started, if not for real. */
  readonly start?: (input: Omit<ThreadInput, "pulse">, events: PathManagerThreadEvents) => SupervisedThread;
  /** Ends what is under way at the start: `prepare` rejects. */
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds of work, in which the machine did not stand still, after which a thread has proven itself. */
const THREAD_PROVEN = 60_000;

/**
 * Keeps a thread of path managers at work: one that is blocked or ends is replaced, and finds the connections again by
 * itself. For another configuration, or changed files, the next thread is prepared while the last one still works.
 */
export class ThreadSupervisor {
  readonly #options: SupervisorOptions;
  #input: SupervisedInput;
  readonly #clock: Clock;
  readonly #patience: Clock;
  #thread: SupervisedThread | undefined;
  /** The files of path managers, by their names. */
  readonly #files = new Map<string, string>();
  readonly #faults: FaultCounts;
  /** Runs while the thread has yet to prove itself. */
  #proof: Timer | undefined;
  #hasProven = false;
  /** In a row. */
  #failures = 0;
  #replacement: Timer | undefined;
  /** Counts what replaces all, so that a replacement that was under way gives way. */
  #epoch = 0;
  #isStopped = false;

  /**
   * Resolves when all of them are loaded. Throws PathManagersRefusedError where an administrator has to change
   * something: a thread that fails though nothing but built-in path managers runs in it is replaced later, as one that
   * is at work.
   */
  static async prepare(input: SupervisedInput, options: SupervisorOptions): Promise<ThreadSupervisor> {
    const supervisor = new ThreadSupervisor(input, options);
    const abort = (): void => void supervisor.stop();
    options.signal?.addEventListener("abort", abort, { once: true });
    try {
      await supervisor.#prepare();
    } catch (error) {
      const failure = error instanceof PathManagersRefusedError ? error.failure : undefined;
      const isForeign = input.sources.some(({ kind }) => kind !== "built-in");
      if (failure === undefined || isForeign || supervisor.#isStopped) throw error;
      supervisor.#threadFailed({ ...failure, what: `could not be started: it ${failure.what}` });
    } finally {
      options.signal?.removeEventListener("abort", abort);
    }
    return supervisor;
  }

  private constructor(input: SupervisedInput, options: SupervisorOptions) {
    this.#options = options;
    this.#input = input;
    this.#faults = new FaultCounts(() => this.#input.settings.pluginFaults, options.log);
    this.#clock = options.clock ?? systemClock;
    this.#patience = new RunningClock(this.#clock);
  }

  /**
   * Resolves when the path managers know all that there is. @returns why they do not work as they should, a line each
   */
  async takeOver(): Promise<readonly string[]> {
    return (await this.#thread?.takeOver()) ?? [];
  }

  /**
   * Replaces all path managers. Throws PathManagersRefusedError if they cannot be loaded: then those that were there
   * stay.
   *
   * @param admit called when they can, before they go to work
   * @returns why they do not work as they should, a line each
   */
  async replace(input: SupervisedInput, admit: () => void): Promise<readonly string[]> {
    const bringBack = this.#faults.clear();
    const started = await startThread(input, (input) => this.#start(input, [])).catch((error) => {
      bringBack();
      throw error;
    });
    admit();
    this.#epoch++;
    const last = this.#thread;
    this.#thread = started.thread;
    this.#input = started.input;
    this.#files.clear();
    this.#failures = 0;
    this.#replacement?.cancel();
    const withoutGap = last?.hasFailed === false;
    await last?.stop();
    this.#welcome(started.prepared);
    return await started.thread.takeOver(withoutGap);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#proof?.cancel();
    this.#replacement?.cancel();
    await this.#thread?.stop();
  }

  /** Starts a thread that takes the place of the last one, without the files of those that are stopped. */
  async #prepare(): Promise<void> {
    const stopped = [...this.#files.keys()].filter((name) => this.#faults.isTooMany(name));
    const files = stopped.map((name) => this.#files.get(name));
    const sources = this.#input.sources.filter(
      (source) => source.kind !== "file" || !files.includes(source.path),
    );
    const epoch = this.#epoch;
    const { prepared, input } = await startThread({ ...this.#input, sources }, (input) => {
      if (this.#isStopped || epoch !== this.#epoch)
        throw new PathManagersRefusedError(["others take their place"]);
      this.#thread = this.#start(input, stopped);
      return this.#thread;
    });
    if (this.#isStopped || epoch !== this.#epoch) return;
    this.#input = input;
    this.#welcome(prepared);
  }

  #start(input: SupervisedInput, stopped: readonly string[]): SupervisedThread {
    const { start = (input, events) => new PathManagerThread(input, events) } = this.#options;
    const thread: SupervisedThread = start(
      { ...input, stopped, faults: this.#faults.counts },
      {
        message: (message) => this.#receive(thread, message),
        failed: (failure) => thread === this.#thread && this.#threadFailed(failure),
      },
    );
    return thread;
  }

  #welcome({ pathManagers, warnings, responsibility }: Prepared): void {
    this.#hasProven = false;
    this.#proof?.cancel();
    this.#proof = this.#patience.schedule(THREAD_PROVEN, () => {
      this.#hasProven = true;
    });
    for (const { name, file } of pathManagers) if (file !== undefined) this.#files.set(name, file);
    for (const warning of warnings) this.#options.log.warning(warning);
    this.#options.onResponsibility(responsibility);
  }

  #receive(thread: SupervisedThread, message: FromThread): void {
    if (message.kind === "log") this.#options.log[message.level](message.message, message.fields);
    else if (thread !== this.#thread) return;
    else if (message.kind === "fault") this.#faults.set(message.pathManager, message.count);
    else if (message.kind === "responsibility") this.#options.onResponsibility(message.responsibility);
    else if (message.kind === "endpoints") void this.#carryOut(thread, message);
    else if (message.kind === "wanted") this.#options.onWanted(message.wanted);
  }

  async #carryOut(
    thread: SupervisedThread,
    { request, command }: FromThread & { readonly kind: "endpoints" },
  ): Promise<void> {
    try {
      await this.#options.onEndpointCommand(command);
      thread.answer(request, undefined);
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      thread.answer(request, packError(error));
    }
  }

  #threadFailed({ what, pathManager, loading }: ThreadFailure): void {
    if (this.#isStopped) return;
    const hadProven = this.#hasProven;
    this.#replaceLater(what);
    const guilty = pathManager ?? this.#nameOf(loading);
    if (guilty !== undefined) this.#faults.add(guilty, "");
    // The built-in ones shall not be down for ever because of one that cannot be found out.
    else if (!hadProven)
      for (const name of this.#files.keys())
        if (!this.#faults.isTooMany(name))
          this.#faults.add(name, ", as all from files: nobody knows whose it is");
  }

  #replaceLater(what: string): void {
    if (this.#hasProven) this.#failures = 0;
    this.#hasProven = false;
    this.#proof?.cancel();
    const wait = pauseAfter(this.#failures);
    this.#failures++;
    const when = wait === 0 ? "is replaced" : `is replaced in ${wait / 1000} s`;
    this.#options.log.error(`the path managers' thread ${what}; it ${when}`);
    this.#replacement = this.#clock.schedule(wait, () => void this.#revive());
  }

  #nameOf(source: PluginSource | undefined): string | undefined {
    if (source?.kind !== "file") return source?.name;
    return [...this.#files].find(([, file]) => file === source.path)?.[0] ?? source.name;
  }

  async #revive(): Promise<void> {
    const epoch = this.#epoch;
    const isOutdated = (): boolean => this.#isStopped || epoch !== this.#epoch;
    try {
      await this.#prepare();
      const thread = this.#thread;
      if (isOutdated()) return;
      await thread?.takeOver();
      if (thread === this.#thread && thread?.hasFailed === false)
        this.#options.log.notice("the path managers are at work again");
    } catch (error) {
      if (isOutdated()) return;
      if (!(error instanceof PathManagersRefusedError)) throw error;
      for (const line of error.lines) this.#options.log.error(line);
      const { failure } = error;
      if (failure === undefined) this.#replaceLater("could not be started");
      else this.#threadFailed({ ...failure, what: "could not be started" });
    }
  }
}
