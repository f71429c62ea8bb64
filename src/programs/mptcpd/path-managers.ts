import { isDeepStrictEqual } from "node:util";
import type { Logger } from "../../base/log/log.ts";
import type { Config, PluginSection } from "../../control/config/config.ts";
import type { EndpointCommand } from "../../control/endpoints/commands.ts";
import { type NamespaceIdentity, namespaceFile } from "../../control/endpoints/namespace.ts";
import { wantedFile, wantedText } from "../../control/endpoints/published-state.ts";
import type { StateFile } from "../../control/endpoints/state-file.ts";
import { everyAddress, type Wanted, type WantedEndpoints } from "../../control/policy/input.ts";
import { builtIn } from "../../path-managers/built-in/index.ts";
import type { Responsibility } from "../../path-managers/runtime/messages.ts";
import {
  type PluginPlan,
  type PluginSource,
  planPlugins,
  unknownPathManager,
  unusedSections,
} from "../../path-managers/runtime/plugin-sources.ts";
import { DEFAULT_PATH_MANAGER, responsibilityOf } from "../../path-managers/runtime/responsibility.ts";
import { PathManagersRefusedError } from "../../path-managers/runtime/thread-failure.ts";
import { packPolicy } from "../../path-managers/runtime/thread-input.ts";
import { type SupervisedInput, ThreadSupervisor } from "../../path-managers/runtime/thread-supervisor.ts";
import { filesOf } from "./plugin-files.ts";
import { rehearsePathManagers } from "./rehearse-plugins.ts";

export interface PathManagersOptions {
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
  /** Called when all is loaded, before the new plugins go to work. */
  readonly admit: () => void;
}

/**
 * The path managers of a configuration. What the default one wants the policy knows; for any other there is a thread, so that
 * no plugin can hold up or bring down what makes the endpoints.
 */
export class PathManagers {
  readonly #options: PathManagersOptions;
  readonly #file: StateFile;
  #setup: Setup;
  #responsibility: Responsibility;
  #supervisor: ThreadSupervisor | undefined;
  #wanted: WantedEndpoints | undefined;

  /** Resolves when all plugins are loaded. Throws PathManagersRefusedError. */
  static async prepare(config: Config, options: PathManagersOptions): Promise<PathManagers> {
    const setup = setupOf(config);
    for (const warning of warningsOf(setup)) options.log.warning(warning);
    const managers = new PathManagers(setup, options);
    if (setup.needsThread) managers.#supervisor = await managers.#supervise(setup);
    return managers;
  }

  private constructor(setup: Setup, options: PathManagersOptions) {
    this.#setup = setup;
    this.#options = options;
    this.#responsibility = responsibilityOfDefault(setup);
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
   * Takes over a configuration, and files that have changed. They are rehearsed first, and should they fail all the same,
   * those of before come back.
   *
   * @throws PathManagersRefusedError if the configuration is refused
   */
  async reload(config: Config, { verify, admit }: ReloadSteps): Promise<void> {
    const setup = setupOf(config);
    const before = this.#setup;
    const install = (): void => {
      for (const warning of warningsOf(setup)) this.#options.log.warning(warning);
      this.#setup = setup;
      admit();
    };
    if (isDeepStrictEqual(withoutOrigins(setup), withoutOrigins(before))) {
      verify(this.#responsibility);
      return install();
    }
    verify(
      setup.needsThread ? (await rehearsePathManagers(setup)).responsibility : responsibilityOfDefault(setup),
    );
    const failed = await this.#exchange(setup, install);
    if (failed.length === 0) return;
    await this.#comeBack(before);
    throw new PathManagersRefusedError(failed);
  }

  /** Has other plugins go to work. Throws PathManagersRefusedError if they cannot be loaded. @returns why they do not work */
  async #exchange(setup: Setup, install: () => void): Promise<readonly string[]> {
    const last = this.#supervisor;
    if (!setup.needsThread) {
      install();
      this.#supervisor = undefined;
      await last?.stop();
      this.#takeCharge(responsibilityOfDefault(setup));
      return [];
    }
    if (last !== undefined) return await last.replace(this.#input(setup), install);
    const supervisor = await this.#supervise(setup);
    install();
    this.#supervisor = supervisor;
    return await supervisor.takeOver();
  }

  async #comeBack(setup: Setup): Promise<void> {
    this.#setup = setup;
    try {
      await this.#exchange(setup, () => undefined);
    } catch (error) {
      if (!(error instanceof PathManagersRefusedError)) throw error;
      for (const line of error.lines)
        this.#options.log.error(`the path managers of the old configuration cannot be loaded again: ${line}`);
    }
  }

  async stop(): Promise<void> {
    await this.#supervisor?.stop();
    this.#file.remove();
    this.#file.close();
  }

  #supervise(setup: Setup): Promise<ThreadSupervisor> {
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

  #input({ plan, settings, policy }: Setup): SupervisedInput {
    const { runtimeDirectory, namespace, debug } = this.#options;
    const file = namespaceFile(runtimeDirectory, namespace, "connections");
    const { sources, known } = plan;
    return { sources, known, settings, policy, debug, checkpoint: { file, bootId: namespace.bootId } };
  }
}

/** Whether a configuration asks for more than the default path manager. Throws PathManagersRefusedError. */
export function hasOtherPathManagers(config: Config): boolean {
  return setupOf(config).needsThread;
}

/** Rehearses the plugins of a configuration. Throws PathManagersRefusedError. */
export async function checkPathManagers(config: Config): Promise<CheckedPathManagers> {
  const setup = setupOf(config);
  const { sources } = setup.plan;
  if (!setup.needsThread) return { sources, warnings: warningsOf(setup) };
  const { warnings } = await rehearsePathManagers(setup);
  return { sources, warnings: [...warningsOf(setup), ...warnings] };
}

export interface CheckedPathManagers {
  readonly sources: readonly PluginSource[];
  readonly warnings: readonly string[];
}

/** All that a thread of path managers depends on: another one is needed when any of it has changed. */
interface Setup {
  readonly plan: PluginPlan;
  readonly settings: SupervisedInput["settings"];
  readonly policy: SupervisedInput["policy"];
  readonly needsThread: boolean;
  readonly files: readonly string[];
}

/** Throws PathManagersRefusedError for what can be seen before plugins are loaded. */
function setupOf(config: Config): Setup {
  const { pathManagers, plugins, pluginDirectory, pluginFaults, removalDelay, origins } = config;
  const plan = planPlugins(config, [...builtIn.keys()]);
  const names = plan.sources.map(({ name }) => name);
  const needsThread = names.some((name) => name !== DEFAULT_PATH_MANAGER);
  const unknown =
    needsThread || plan.errors.length > 0 ? [] : pathManagers.filter((name) => !names.includes(name));
  const errors = [...plan.errors, ...unknown.map((name) => unknownPathManager(name, config, plan.known))];
  if (errors.length > 0) throw new PathManagersRefusedError(errors);
  const settings = { pathManagers, plugins, pluginDirectory, pluginFaults, removalDelay, origins };
  const files = needsThread ? filesOf(plan, pluginDirectory) : [];
  return { plan, settings, policy: packPolicy(config), needsThread, files };
}

/** In which line something is written makes no difference to the plugins. */
function withoutOrigins(setup: Setup): Setup {
  const { settings, policy } = setup;
  const plugins = [...settings.plugins].map(([name, { exec, entries }]): [string, PluginSection] => {
    return [name, { exec, file: "", line: 0, entries: entries.map((entry) => ({ ...entry, line: 0 })) }];
  });
  return {
    ...setup,
    settings: { ...settings, plugins: new Map(plugins), origins: {} },
    policy: { ...policy, paths: policy.paths.map((rule) => ({ ...rule, source: "" })) },
  };
}

function responsibilityOfDefault({ plan }: Setup): Responsibility {
  const definitions = plan.sources.flatMap(({ name }) => builtIn.get(name) ?? []);
  return responsibilityOf(definitions, []);
}

/** Of the thread's, which knows the plugins' own names, there are more. */
function warningsOf({ plan, needsThread, settings }: Setup): readonly string[] {
  if (needsThread) return plan.warnings;
  const names = plan.sources.map(({ name }) => name);
  return [...plan.warnings, ...unusedSections(settings.plugins, names, plan.known)];
}
