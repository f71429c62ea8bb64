import type { Logger } from "../log/log.ts";
import type { WantedEndpoints } from "../policy/wanted.ts";
import { type Charge, type FromWorker, unpackWanted, type WorkerInput } from "./protocol.ts";
import { PluginsRefusedError, PluginWorker, type WorkerFailure } from "./worker.ts";

export type SupervisedInput = Omit<WorkerInput, "pulse" | "faults">;

export interface SupervisorOptions {
  readonly log: Logger;
  /** Others decide than before, or the first time who does. */
  readonly onCharge: (charge: Charge) => void;
  /** Other endpoints are wanted than before. */
  readonly onWanted: (wanted: WantedEndpoints) => void;
}

/** Milliseconds before the second of two replacements in a row, and the longest wait. */
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30_000;
/** Milliseconds after which a thread has proven itself. */
const PROVEN = 60_000;

/**
 * Keeps a thread of path managers at work: one that is blocked or ends is replaced, and finds the connections again by
 * itself. For another configuration, or changed files, the next thread is prepared while the last one still works.
 */
export class PluginSupervisor {
  readonly #options: SupervisorOptions;
  #input: SupervisedInput;
  #worker: PluginWorker;
  /** Faults of plugins, over the lives of threads. */
  #faults = new Map<string, number>();
  #since = performance.now();
  #failures = 0;
  #replacement: NodeJS.Timeout | undefined;
  #isStopped = false;

  /** Resolves when the plugins are loaded. Throws PluginsRefusedError. */
  static async prepare(input: SupervisedInput, options: SupervisorOptions): Promise<PluginSupervisor> {
    const supervisor = new PluginSupervisor(input, options);
    supervisor.#welcome(await supervisor.#worker.prepare());
    return supervisor;
  }

  private constructor(input: SupervisedInput, options: SupervisorOptions) {
    this.#options = options;
    this.#input = input;
    this.#worker = this.#start(input);
  }

  /** Resolves when the path managers know all that there is. */
  takeOver(): Promise<void> {
    return this.#worker.takeOver();
  }

  /**
   * Replaces all plugins. Throws PluginsRefusedError if they cannot be loaded: then those that were there stay.
   *
   * @param admit called when they can, before they go to work
   */
  async replace(input: SupervisedInput, admit: () => void): Promise<void> {
    const faults = this.#faults;
    this.#faults = new Map();
    const next = this.#start(input);
    let prepared: Awaited<ReturnType<PluginWorker["prepare"]>>;
    try {
      prepared = await next.prepare();
    } catch (error) {
      this.#faults = faults;
      throw error;
    }
    admit();
    const last = this.#worker;
    this.#worker = next;
    this.#input = input;
    this.#failures = 0;
    clearTimeout(this.#replacement);
    const withoutGap = !last.hasFailed;
    await last.stop();
    this.#welcome(prepared);
    await next.takeOver(withoutGap);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#replacement);
    await this.#worker.stop();
  }

  #start(input: SupervisedInput): PluginWorker {
    const worker: PluginWorker = new PluginWorker(
      { ...input, faults: this.#faults },
      {
        message: (message) => this.#receive(worker, message),
        failed: (failure) => worker === this.#worker && this.#lost(failure),
      },
    );
    return worker;
  }

  #welcome({ warnings, charge }: { readonly warnings: readonly string[]; readonly charge: Charge }): void {
    this.#since = performance.now();
    for (const warning of warnings) this.#options.log.warning(warning);
    this.#options.onCharge(charge);
  }

  #receive(worker: PluginWorker, message: FromWorker): void {
    if (message.kind === "log") this.#options.log[message.level](message.message, message.fields);
    else if (worker !== this.#worker) return;
    else if (message.kind === "fault") this.#faults.set(message.plugin, message.count);
    else if (message.kind === "charge") this.#options.onCharge(message.charge);
    else if (message.kind === "wanted") this.#options.onWanted(unpackWanted(message.wanted));
  }

  #lost({ what, plugin }: WorkerFailure): void {
    if (this.#isStopped) return;
    if (performance.now() - this.#since > PROVEN) this.#failures = 0;
    const wait = this.#failures === 0 ? 0 : Math.min(FIRST_WAIT * 2 ** (this.#failures - 1), LONGEST_WAIT);
    this.#failures++;
    const when = wait === 0 ? "is replaced" : `is replaced in ${wait / 1000} s`;
    this.#options.log.error(`the path managers' thread ${what}; it ${when}`);
    if (plugin !== undefined) {
      const { pluginFaults } = this.#input.settings;
      const count = (this.#faults.get(plugin) ?? 0) + 1;
      this.#faults.set(plugin, count);
      const stopped = count >= pluginFaults ? "; it is stopped" : "";
      this.#options.log.error(`${plugin}: fault ${count} of ${pluginFaults}${stopped}`);
    }
    this.#replacement = setTimeout(() => void this.#revive(), wait);
  }

  async #revive(): Promise<void> {
    const worker = this.#start(this.#input);
    this.#worker = worker;
    try {
      const prepared = await worker.prepare();
      if (this.#isStopped || worker !== this.#worker) return;
      this.#welcome(prepared);
      await worker.takeOver();
      if (worker === this.#worker) this.#options.log.notice("the path managers are at work again");
    } catch (error) {
      if (worker !== this.#worker) return;
      if (!(error instanceof PluginsRefusedError)) throw error;
      for (const line of error.lines) this.#options.log.error(line);
      this.#lost({ what: "could not be started", plugin: undefined });
    }
  }
}
