import { isDeepStrictEqual } from "node:util";
import type { Logger } from "../../base/log/log.ts";
import type { Config } from "../../control/config/config.ts";
import type { EndpointCommand } from "../../control/endpoints/commands.ts";
import { type NamespaceIdentity, namespaceFile } from "../../control/endpoints/namespace.ts";
import { wantedFile, wantedText } from "../../control/endpoints/published-state.ts";
import type { StateFile } from "../../control/endpoints/state-file.ts";
import { everyAddress, type Wanted, type WantedEndpoints } from "../../control/policy/input.ts";
import type { Responsibility } from "./messages.ts";
import {
  type BuiltIn,
  isSameSetup,
  type PathManagerSetup,
  rehearsePathManagers,
  responsibilityOfDefault,
  setupOf,
  warningsOf,
} from "./path-manager-setup.ts";
import { DEFAULT_PATH_MANAGER } from "./responsibility.ts";
import { PathManagersRefusedError } from "./thread-failure.ts";
import { type SupervisedInput, ThreadSupervisor } from "./thread-supervisor.ts";

export interface PathManagersOptions {
  readonly builtIn: BuiltIn;
  readonly runtimeDirectory: string;
  readonly namespace: NamespaceIdentity;
  readonly log: Logger;
  readonly debug: boolean;
  /** Makes a file of the runtime directory. */
  readonly stateFile: (file: string, consequence: string) => StateFile;
  /** Other endpoints are wanted than before. */
  readonly onWanted: () => void;
  /** A path manager gives a command for endpoints. */
  readonly onEndpointCommand: (command: EndpointCommand) => Promise<void>;
  /** Others are in charge than before. */
  readonly onResponsibility: () => void;
  /** Ends a start that is under way. */
  readonly signal?: AbortSignal | undefined;
}

export interface ReloadSteps {
  /** Called before anything is changed; throws PathManagersRefusedError where these cannot be in charge. */
  readonly verify: (responsibility: Responsibility) => void;
  /** Called when all is loaded, before the new path managers go to work. */
  readonly admit: () => void;
}

/**
 * The path managers of a configuration. What the default one wants the policy knows; for any other there is a thread,
 * so that none of them can hold up or bring down what makes the endpoints.
 */
export class PathManagers {
  readonly #options: PathManagersOptions;
  readonly #file: StateFile;
  #setup: PathManagerSetup;
  #responsibility: Responsibility;
  #supervisor: ThreadSupervisor | undefined;
  #wanted: WantedEndpoints | undefined;

  /** Resolves when all of them are loaded. Throws PathManagersRefusedError. */
  static async prepare(config: Config, options: PathManagersOptions): Promise<PathManagers> {
    const setup = setupOf(config, options.builtIn);
    for (const warning of warningsOf(setup)) options.log.warning(warning);
    const managers = new PathManagers(setup, options);
    if (setup.needsThread) managers.#supervisor = await managers.#supervise(setup);
    return managers;
  }

  private constructor(setup: PathManagerSetup, options: PathManagersOptions) {
    this.#setup = setup;
    this.#options = options;
    this.#responsibility = responsibilityOfDefault(setup, options.builtIn);
    this.#file = options.stateFile(
      wantedFile(options.runtimeDirectory, options.namespace),
      "mptcpctl explain does not know what path managers want",
    );
  }

  /** Who decides what. */
  get responsibility(): Responsibility {
    return this.#responsibility;
  }

  /** Lets them go to work; resolves when they know all that there is. */
  async takeOver(): Promise<void> {
    this.#publish();
    await this.#supervisor?.takeOver();
  }

  /** The endpoints that are wanted; undefined: whose business that is has not said yet. */
  get wanted(): Wanted | undefined {
    return this.#responsibility.endpoints === DEFAULT_PATH_MANAGER ? everyAddress : this.#wantedByThread();
  }

  /**
   * Takes over a configuration, and files that have changed. They are rehearsed first, and should they fail all the
   * same, those of before come back.
   *
   * @throws PathManagersRefusedError if the configuration is refused
   */
  async reload(config: Config, { verify, admit }: ReloadSteps): Promise<void> {
    const { builtIn, log } = this.#options;
    const setup = setupOf(config, builtIn);
    const before = this.#setup;
    const install = (): void => {
      for (const warning of warningsOf(setup)) log.warning(warning);
      this.#setup = setup;
      admit();
    };
    if (isSameSetup(setup, before)) {
      verify(this.#responsibility);
      return install();
    }
    verify(
      setup.needsThread
        ? (await rehearsePathManagers(setup)).responsibility
        : responsibilityOfDefault(setup, builtIn),
    );
    const failed = await this.#exchange(setup, install);
    if (failed.length === 0) return;
    await this.#comeBack(before);
    throw new PathManagersRefusedError(failed);
  }

  async stop(): Promise<void> {
    await this.#supervisor?.stop();
    this.#file.remove();
    this.#file.close();
  }

  /** Has others go to work. Throws PathManagersRefusedError if they cannot be loaded. @returns why they do not work */
  async #exchange(setup: PathManagerSetup, install: () => void): Promise<readonly string[]> {
    const last = this.#supervisor;
    if (!setup.needsThread) {
      install();
      this.#supervisor = undefined;
      await last?.stop();
      this.#takeCharge(responsibilityOfDefault(setup, this.#options.builtIn));
      return [];
    }
    if (last !== undefined) return await last.replace(this.#input(setup), install);
    const supervisor = await this.#supervise(setup);
    install();
    this.#supervisor = supervisor;
    return await supervisor.takeOver();
  }

  async #comeBack(setup: PathManagerSetup): Promise<void> {
    this.#setup = setup;
    try {
      await this.#exchange(setup, () => undefined);
    } catch (error) {
      if (!(error instanceof PathManagersRefusedError)) throw error;
      for (const line of error.lines)
        this.#options.log.error(`the path managers of the old configuration cannot be loaded again: ${line}`);
    }
  }

  #supervise(setup: PathManagerSetup): Promise<ThreadSupervisor> {
    return ThreadSupervisor.prepare(this.#input(setup), {
      log: this.#options.log,
      signal: this.#options.signal,
      onResponsibility: (responsibility) => this.#takeCharge(responsibility),
      onEndpointCommand: this.#options.onEndpointCommand,
      onWanted: (wanted) => {
        this.#wanted = wanted;
        this.#publish();
        this.#options.onWanted();
      },
    });
  }

  #takeCharge(responsibility: Responsibility): void {
    if (isDeepStrictEqual(responsibility, this.#responsibility)) return;
    if (responsibility.endpoints !== this.#responsibility.endpoints) this.#wanted = undefined;
    this.#responsibility = responsibility;
    this.#publish();
    this.#options.onResponsibility();
  }

  #wantedByThread(): WantedEndpoints | undefined {
    return this.#responsibility.endpoints === undefined ? { by: "no plugin", endpoints: [] } : this.#wanted;
  }

  /** For `mptcpctl explain`, which has the same policy, and knows what it wants by default. */
  #publish(): void {
    const isDefault = this.#responsibility.endpoints === DEFAULT_PATH_MANAGER;
    const wanted = isDefault ? { by: DEFAULT_PATH_MANAGER } : this.#wantedByThread();
    if (wanted !== undefined) this.#file.write(wantedText(this.#options.namespace, wanted));
  }

  #input({ plan, settings, policy }: PathManagerSetup): SupervisedInput {
    const { runtimeDirectory, namespace, debug } = this.#options;
    const file = namespaceFile(runtimeDirectory, namespace, "connections");
    const lock = namespaceFile(runtimeDirectory, namespace, "lock");
    const { sources, known } = plan;
    const checkpoint = { file, lock, bootId: namespace.bootId };
    return { sources, known, settings, policy, debug, checkpoint };
  }
}
