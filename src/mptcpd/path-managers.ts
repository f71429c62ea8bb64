import { readdirSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Config } from "../config/config.ts";
import { systemClock } from "../endpoints/clock.ts";
import type { EndpointCommand } from "../endpoints/commands.ts";
import { type NamespaceIdentity, namespaceFile } from "../endpoints/namespace.ts";
import { StateFile } from "../endpoints/state-file.ts";
import { wantedFile, wantedText } from "../endpoints/wanted-file.ts";
import type { Logger } from "../log/log.ts";
import { messageOf } from "../log/text.ts";
import type { Network } from "../network/network.ts";
import { builtIn, wantedByDefault } from "../path-managers/index.ts";
import { chargeOf, DEFAULT_PATH_MANAGER } from "../plugins/charge.ts";
import { type Charge, packPolicy } from "../plugins/protocol.ts";
import { type PluginPlan, planPlugins, unknownPathManager, unusedSections } from "../plugins/sources.ts";
import { startWorker } from "../plugins/starting.ts";
import { PluginSupervisor, type SupervisedInput } from "../plugins/supervisor.ts";
import { PluginsRefusedError, PluginWorker } from "../plugins/worker.ts";
import type { WantedEndpoints } from "../policy/wanted.ts";

export interface PathManagersOptions {
  readonly runtimeDirectory: string;
  readonly namespace: NamespaceIdentity;
  readonly log: Logger;
  readonly debug: boolean;
  /** Other endpoints are wanted than before. */
  readonly onWanted: () => void;
  /** A path manager gives a command for endpoints. */
  readonly onEndpointCommand: (command: EndpointCommand) => Promise<void>;
  /** Others are in charge than before. */
  readonly onCharge: () => void;
  /** Ends a start that is under way. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The path managers of a configuration. The default one is asked right here; for any other there is a thread, so that no
 * plugin can hold up or bring down what makes the endpoints.
 */
export class PathManagers {
  readonly #options: PathManagersOptions;
  readonly #file: StateFile;
  #setup: Setup;
  #charge: Charge;
  #supervisor: PluginSupervisor | undefined;
  #wanted: WantedEndpoints | undefined;

  /** Resolves when all plugins are loaded. Throws PluginsRefusedError. */
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
    this.#charge = chargeOfDefault(setup);
    this.#file = new StateFile({
      ...{
        file: wantedFile(options.runtimeDirectory, options.namespace),
        clock: systemClock,
        log: options.log,
      },
      consequence: "mptcpctl explain does not know what path managers want",
    });
  }

  /** Who decides what. */
  get charge(): Charge {
    return this.#charge;
  }

  /** Lets them go to work; resolves when they know all that there is. */
  async takeOver(): Promise<void> {
    this.#publish();
    await this.#supervisor?.takeOver();
  }

  /** The endpoints that are wanted; undefined: whose business that is has not said yet. */
  wanted(network: Network, config: Config): WantedEndpoints | undefined {
    return this.#charge.endpoints === DEFAULT_PATH_MANAGER
      ? wantedByDefault(network, config)
      : this.#wantedByPlugins();
  }

  /**
   * Takes over a configuration, and files that have changed. Throws PluginsRefusedError: then nothing has changed.
   *
   * @param admit called when nothing can be refused any more, before the new plugins go to work
   */
  async reload(config: Config, admit: () => void): Promise<void> {
    const setup = setupOf(config);
    const isSame = isDeepStrictEqual(withoutOrigins(setup), withoutOrigins(this.#setup));
    const install = (): void => {
      for (const warning of warningsOf(setup)) this.#options.log.warning(warning);
      this.#setup = setup;
      admit();
    };
    if (isSame) return install();
    const last = this.#supervisor;
    if (!setup.needsThread) {
      install();
      this.#supervisor = undefined;
      await last?.stop();
      this.#takeCharge(chargeOfDefault(setup));
    } else if (last !== undefined) await last.replace(this.#input(setup), install);
    else {
      const supervisor = await this.#supervise(setup);
      install();
      this.#supervisor = supervisor;
      await supervisor.takeOver();
    }
  }

  async stop(): Promise<void> {
    await this.#supervisor?.stop();
    this.#file.remove();
    this.#file.close();
  }

  #supervise(setup: Setup): Promise<PluginSupervisor> {
    return PluginSupervisor.prepare(this.#input(setup), {
      log: this.#options.log,
      signal: this.#options.signal,
      onCharge: (charge) => this.#takeCharge(charge),
      onEndpointCommand: this.#options.onEndpointCommand,
      onWanted: (wanted) => {
        this.#wanted = wanted;
        this.#publish();
        this.#options.onWanted();
      },
    });
  }

  #takeCharge(charge: Charge): void {
    if (isDeepStrictEqual(charge, this.#charge)) return;
    if (charge.endpoints !== this.#charge.endpoints) this.#wanted = undefined;
    this.#charge = charge;
    this.#publish();
    this.#options.onCharge();
  }

  #wantedByPlugins(): WantedEndpoints | undefined {
    return this.#charge.endpoints === undefined ? { by: "no plugin", endpoints: [] } : this.#wanted;
  }

  /** For `mptcpctl explain`, which knows by itself what the default path manager wants. */
  #publish(): void {
    const isDefault = this.#charge.endpoints === DEFAULT_PATH_MANAGER;
    const wanted = isDefault ? { by: DEFAULT_PATH_MANAGER } : this.#wantedByPlugins();
    if (wanted !== undefined) this.#file.write(wantedText(this.#options.namespace, wanted));
  }

  #input({ plan, settings, policy }: Setup): SupervisedInput {
    const { runtimeDirectory, namespace, debug } = this.#options;
    const file = namespaceFile(runtimeDirectory, namespace, "connections");
    const { sources, known } = plan;
    return { sources, known, settings, policy, debug, checkpoint: { file, bootId: namespace.bootId } };
  }
}

/** Whether a configuration asks for more than the default path manager. Throws PluginsRefusedError. */
export function hasPlugins(config: Config): boolean {
  return setupOf(config).needsThread;
}

/** Loads the plugins of a configuration to no end but to see that it works. Throws PluginsRefusedError. @returns warnings */
export async function checkPlugins(config: Config): Promise<readonly string[]> {
  const setup = setupOf(config);
  const { plan, settings, policy, needsThread } = setup;
  if (!needsThread) return warningsOf(setup);
  const { sources, known } = plan;
  const checkpoint = { file: "/dev/null", bootId: "" };
  const nothingYet = { stopped: [], faults: new Map(), debug: false };
  const input = { sources, known, settings, policy, checkpoint, ...nothingYet, checkOnly: true };
  const ignored = { message: () => undefined, failed: () => undefined };
  const { worker, prepared } = await startWorker(input, (input) => new PluginWorker(input, ignored));
  await worker.stop();
  return [...warningsOf(setup), ...prepared.warnings];
}

/** All that a thread of path managers depends on: another one is needed when any of it has changed. */
interface Setup {
  readonly plan: PluginPlan;
  readonly settings: SupervisedInput["settings"];
  readonly policy: SupervisedInput["policy"];
  readonly needsThread: boolean;
  readonly files: readonly string[];
}

/** Throws PluginsRefusedError for what can be seen before plugins are loaded. */
function setupOf(config: Config): Setup {
  const { pathManagers, plugins, pluginDirectory, pluginFaults, removalDelay, origins } = config;
  const plan = planPlugins(config, [...builtIn.keys()]);
  const names = plan.sources.map(({ name }) => name);
  const needsThread = names.some((name) => name !== DEFAULT_PATH_MANAGER);
  const unknown =
    needsThread || plan.errors.length > 0 ? [] : pathManagers.filter((name) => !names.includes(name));
  const errors = [...plan.errors, ...unknown.map((name) => unknownPathManager(name, config, plan.known))];
  if (errors.length > 0) throw new PluginsRefusedError(errors);
  const settings = { pathManagers, plugins, pluginDirectory, pluginFaults, removalDelay, origins };
  const files = needsThread ? filesOf(plan, pluginDirectory) : [];
  return { plan, settings, policy: packPolicy(config), needsThread, files };
}

/** Where a name is written makes no difference to the plugins. */
function withoutOrigins(setup: Setup): Setup {
  return { ...setup, settings: { ...setup.settings, origins: {} } };
}

function chargeOfDefault({ plan }: Setup): Charge {
  const definitions = plan.sources.flatMap(({ name }) => builtIn.get(name) ?? []);
  return chargeOf(definitions, []);
}

/** Of the thread's, which knows the plugins' own names, there are more. */
function warningsOf({ plan, needsThread, settings }: Setup): readonly string[] {
  if (needsThread) return plan.warnings;
  const names = plan.sources.map(({ name }) => name);
  return [...plan.warnings, ...unusedSections(settings.plugins, names, plan.known)];
}

/**
 * What the code of plugins depends on, in a form that changes with it: programs and the scripts that they are given, and all
 * files of the plugin directory, as modules may import what lies there.
 */
function filesOf({ sources }: PluginPlan, directory: string): string[] {
  const programs = sources.flatMap((source) => (source.kind === "exec" ? source.command : []));
  const modules = sources.some(({ kind }) => kind === "file")
    ? readdirSync(directory, { recursive: true, encoding: "utf8" }).sort()
    : [];
  const paths = [...programs.filter(isAbsolute), ...modules.map((name) => join(directory, name))];
  return paths.map((path) => `${path} ${versionOf(path)}`);
}

function versionOf(path: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(path);
    return `${ino} ${size} ${mtimeMs}`;
  } catch (error) {
    // Links may lead nowhere, and arguments need not be files.
    return messageOf(error);
  }
}
