import { setMaxListeners } from "node:events";
import { late, within } from "../../base/deadlines.ts";
import { messageOf } from "../../base/errors.ts";
import { type Logger, prefixed } from "../../base/log/log.ts";
import type { Network } from "../../control/network/network.ts";
import type { PolicyConfig } from "../../control/policy/host-addresses.ts";
import type { WantedEndpoint } from "../../control/policy/input.ts";
import type { Details, HandlerName, Handlers, PathManagerDefinition } from "./api.ts";
import { describeError, guarded, stackOf } from "./describe-error.ts";
import { handlerNames } from "./handler-calls.ts";
import { PathManagerHandle, type PathManagerServices } from "./path-manager-handle.ts";
import { isRefusal, levelOf } from "./refusals.ts";
import { askForEndpoints } from "./requested-endpoints.ts";

/** A path manager that is ready to be set up. */
export interface LoadedPathManager {
  readonly definition: PathManagerDefinition;
  /** As its schema has read them. */
  readonly options: unknown;
  /** That it was loaded from; undefined where it is built in, or a program. */
  readonly file?: string | undefined;
}

export interface RunningPathManagerOptions {
  readonly loaded: LoadedPathManager;
  readonly services: PathManagerServices;
  /** Told before and after the path manager's own code runs. */
  readonly watch: HandlerWatch;
  /** Told of each fault; may stop the path manager. */
  readonly onFault: (pathManager: RunningPathManager, event: string, error: unknown) => void;
}

/** Knows which handler runs at the moment, for those who look from another thread at one that does not come back. */
export interface HandlerWatch {
  enter(pathManager: string, event: string): void;
  leave(): void;
}

/** Milliseconds that a handler may hold up all others. */
const SLOW = 100;
/** Milliseconds in which a path manager is blamed for that once. */
const QUIET = 60_000;

/** Handlers, seen so that an event and what it tells stay tied to each other. */
type HandlerTable = { readonly [Name in HandlerName]?: (...details: Details<Name>) => unknown };

/** A path manager at work: its code is called through here, and its errors end here. */
export class RunningPathManager {
  readonly name: string;
  readonly definition: PathManagerDefinition;
  readonly log: Logger;
  readonly #options: RunningPathManagerOptions;
  readonly #abort = new AbortController();
  #handlers: HandlerTable = {};
  #slowAt = Number.NEGATIVE_INFINITY;

  constructor(options: RunningPathManagerOptions) {
    const { definition } = options.loaded;
    this.name = definition.name;
    this.definition = definition;
    this.#options = options;
    // Each command and timer under way listens to it; Node would take ten for a leak.
    setMaxListeners(0, this.#abort.signal);
    this.log = prefixed(options.services.log, this.name, { PLUGIN: this.name });
  }

  get stopped(): boolean {
    return this.#abort.signal.aborted;
  }

  /**
   * Lets the path manager begin. What it throws is a fault, and it is stopped.
   *
   * @returns why it could not be set up
   */
  async setUp(deadline: number): Promise<string | undefined> {
    const { services, loaded } = this.#options;
    const guard = (event: string, callback: () => unknown): void => void this.#run(event, callback);
    const handle = new PathManagerHandle({
      ...{ name: this.name, options: loaded.options, log: this.log },
      ...{ signal: this.#abort.signal, services, guard },
    });
    try {
      const handlers = (await settledWithin(this.#begin(handle), deadline, services)) ?? {};
      // Its timers may have brought it down meanwhile.
      if (this.stopped) return undefined;
      this.#handlers = handlers;
      for (const name of unknownEvents(handlers)) this.log.warning(`there is no event ${name}`);
    } catch (error) {
      if (this.stopped) return undefined;
      this.#options.onFault(this, "setup", error);
      this.stop(`${this.name} could not be set up`);
      this.log.error("stopped, as it could not be set up");
      return describeError(error);
    }
    return undefined;
  }

  /** Calls a handler, if there is one. */
  tell<Name extends HandlerName>(event: Name, ...details: Details<Name>): void {
    const handlers = this.#handlers;
    const handler = handlers[event];
    if (handler !== undefined) this.#run(event, () => handler.apply(handlers, details));
  }

  /** The endpoints that it wants of a network; undefined: it failed to say. */
  wantedEndpoints(network: Network, config: PolicyConfig): readonly WantedEndpoint[] | undefined {
    return this.#run("endpoints", () => askForEndpoints(this.#options.loaded, network, config));
  }

  /** Ends it: its signal is aborted, its timers are gone, its handlers are not called again. */
  stop(reason: string): void {
    this.#handlers = {};
    this.#abort.abort(new Error(reason));
  }

  /** Whether its code is where an error came from. */
  isBehind(error: unknown): boolean {
    const { file } = this.#options.loaded;
    return file !== undefined && stackOf(error).includes(file);
  }

  /** Takes note of an error that its code has caused: what commands reject with is no fault. */
  blame(event: string, error: unknown): void {
    if (this.stopped) return;
    // Commands fail for what happens in the world, which is no fault of who asks.
    if (isRefusal(error))
      this.log[levelOf(error, "warning")](`${event}: ${guarded(() => messageOf(error), "")}`);
    else this.#options.onFault(this, event, error);
  }

  async #begin(handle: PathManagerHandle): Promise<Handlers | undefined> {
    const { watch } = this.#options;
    watch.enter(this.name, "setup");
    try {
      return this.definition.setup?.(handle);
    } finally {
      watch.leave();
    }
  }

  /** @returns what the callback does; undefined if it throws */
  #run<T>(event: string, callback: () => T): T | undefined {
    const { watch, services } = this.#options;
    const start = services.clock.now();
    watch.enter(this.name, event);
    try {
      const result = callback();
      if (isThenable(result)) Promise.resolve(result).catch((error) => this.blame(event, error));
      return result;
    } catch (error) {
      this.blame(event, error);
      return undefined;
    } finally {
      watch.leave();
      this.#noteSlowness(event, services.clock.now() - start);
    }
  }

  #noteSlowness(event: string, milliseconds: number): void {
    if (milliseconds < SLOW) return;
    const now = this.#options.services.clock.now();
    if (now - this.#slowAt < QUIET) return;
    this.#slowAt = now;
    this.log.warning(`${event} took ${milliseconds.toFixed(0)} ms, in which no other event was handled`);
  }
}

/** A slip of the pen, in JavaScript; TypeScript finds it by itself. */
function unknownEvents(handlers: object): string[] {
  const known: readonly string[] = handlerNames;
  return Object.entries(handlers).flatMap(([name, value]) =>
    typeof value === "function" && !known.includes(name) ? name : [],
  );
}

/** Promises of other makes included. */
function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** Rejects if a promise does not settle within so many milliseconds. */
async function settledWithin<T>(
  promise: Promise<T>,
  milliseconds: number,
  services: PathManagerServices,
): Promise<T> {
  const result = await within(services.patience, milliseconds, promise);
  if (result === late) throw new Error(`was not done in ${milliseconds} ms`);
  return result;
}
