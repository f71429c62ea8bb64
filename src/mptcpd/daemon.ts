import type { Config } from "../config/config.ts";
import { addressLoads } from "../connections/address-loads.ts";
import { Adoptions } from "../endpoints/adoption.ts";
import { systemClock } from "../endpoints/clock.ts";
import { DaemonLock } from "../endpoints/daemon-lock.ts";
import { Ledger } from "../endpoints/ledger.ts";
import { currentNamespace, type NamespaceIdentity } from "../endpoints/namespace.ts";
import { PathManagerKeeper } from "../endpoints/path-manager-keeper.ts";
import type { Preview } from "../endpoints/reconciler.ts";
import { Reconciler } from "../endpoints/reconciler.ts";
import { refusedFile, refusedText } from "../endpoints/refused-file.ts";
import { StateFile } from "../endpoints/state-file.ts";
import { MptcpPm } from "../kernel/mptcp-pm.ts";
import { resolvingInterfaces } from "../kernel/neighbours.ts";
import { removalsSent } from "../kernel/removals.ts";
import { openRtnetlink } from "../kernel/rtnetlink.ts";
import { Sockets } from "../kernel/sockets.ts";
import { SysctlError, Sysctls } from "../kernel/sysctl.ts";
import type { Logger } from "../log/log.ts";
import { messageOf } from "../log/text.ts";
import { NetworkMonitor } from "../network/monitor.ts";
import type { Network } from "../network/network.ts";
import { emptyNetwork } from "../network/network.ts";
import { wantedByDefault } from "../path-managers/index.ts";
import { DecisionTrace } from "./decision-trace.ts";
import { PathManagers } from "./path-managers.ts";
import { requireMptcp, requirePermission } from "./preconditions.ts";
import { StartError } from "./start-error.ts";
import { SysctlWatch } from "./sysctl-watch.ts";

export interface DaemonOptions {
  readonly config: Config;
  readonly runtimeDirectory: string;
  readonly log: Logger;
  /** Say each decision of the policy. */
  readonly debug: boolean;
}

/** The parts of mptcpd, wired: monitor → policy → reconciler → kernel, and beside it the path managers. */
export class Daemon {
  readonly #log: Logger;
  readonly #pm: MptcpPm;
  readonly #reconciler: Reconciler;
  readonly #keeper: PathManagerKeeper;
  readonly #lock: DaemonLock | undefined;
  readonly #files: readonly StateFile[];
  #config: Config;
  #pathManagers: PathManagers | undefined;
  #monitor: NetworkMonitor | undefined;

  /**
   * Starts to serve the network namespace of this process; resolves when its endpoints are what they should be, or the
   * first try to make them so has failed and is being repeated, and its path managers know of all connections.
   *
   * @throws StartError where the daemon cannot run
   * @throws PluginsRefusedError where its plugins cannot be loaded
   */
  static async start(options: DaemonOptions): Promise<Daemon> {
    requireMptcp(new Sysctls());
    const pm = await MptcpPm.open();
    let daemon: Daemon | undefined;
    try {
      await requirePermission(pm);
      const namespace = currentNamespace();
      daemon = new Daemon(options, pm, namespace, takeLock(options, namespace));
      await daemon.#loadPlugins(options, namespace);
      await daemon.#listen();
      const takenOver = daemon.#pathManagers?.takeOver();
      // What is known by now need not wait for a path manager that takes its time to begin.
      daemon.#reconciler.trigger();
      await takenOver;
      daemon.#reconciler.trigger();
      await daemon.#reconciler.settled();
      return daemon;
    } catch (error) {
      if (daemon) await daemon.#close();
      else pm.close();
      throw error;
    }
  }

  /** What the daemon would do by default if it were started now. Changes nothing, loads nothing, and needs no privilege. */
  static async preview(options: DaemonOptions): Promise<{ preview: Preview; network: Network }> {
    requireMptcp(new Sysctls());
    const daemon = new Daemon(options, await MptcpPm.open(), currentNamespace(), undefined);
    try {
      await daemon.#listen();
      return { preview: await daemon.#reconciler.preview(), network: daemon.#network };
    } finally {
      await daemon.#close();
    }
  }

  private constructor(
    { config, runtimeDirectory, log, debug }: DaemonOptions,
    pm: MptcpPm,
    namespace: NamespaceIdentity,
    lock: DaemonLock | undefined,
  ) {
    const warn = (message: string): void => log.warning(message);
    const stateFile = (file: string, consequence: string): StateFile =>
      new StateFile({ file, consequence, log, clock: systemClock });
    const files: StateFile[] = [];
    const ledger = new Ledger({
      ...{ directory: runtimeDirectory, namespace, warn, readOnly: lock === undefined },
      store: (file) => {
        const store = stateFile(file, LEDGER_LOST);
        files.push(store);
        return store;
      },
    });
    const refused = stateFile(refusedFile(runtimeDirectory, namespace), REFUSED_LOST);
    files.push(refused);
    // Of an earlier mptcpd.
    if (lock) refused.remove();
    const adoptions = new Adoptions({ directory: runtimeDirectory, namespace, ledger, log });
    const trace = new DecisionTrace(log);
    const sysctls = new Sysctls();
    const sysctlWatch = new SysctlWatch(sysctls, log, () => this.#neededPathManager);
    this.#config = config;
    this.#log = log;
    this.#pm = pm;
    this.#lock = lock;
    this.#files = files;
    this.#keeper = new PathManagerKeeper(sysctls, ledger, log);
    this.#reconciler = new Reconciler({
      kernel: pm,
      ledger,
      log,
      clock: systemClock,
      wallClock: Date.now,
      removalsSent,
      addressLoads: readAddressLoads,
      resolving: readResolving,
      network: () => this.#network,
      config: () => this.#config,
      wanted: (network, config) =>
        this.#pathManagers ? this.#pathManagers.wanted(network, config) : wantedByDefault(network, config),
      ...(debug && { onDecisions: (decisions) => trace.follow(decisions) }),
      beforeReading: () => {
        if (!lock) return;
        this.#keepPathManager(() => this.#keeper.check());
        sysctlWatch.check();
        // Ways out that no notification told of, such as a route's next-hop object.
        this.#monitor?.resyncRouting();
        adoptions.collect();
      },
      onRefusals: (refusals) => {
        if (refusals.length === 0) refused.remove();
        else refused.write(refusedText(namespace, refusals));
      },
    });
  }

  /**
   * Takes a new configuration into force; resolves when everything was read again and is as it should be.
   *
   * @throws PluginsRefusedError where its plugins cannot be loaded: then the old one stays in force
   */
  async reload(config: Config): Promise<void> {
    await this.#pathManagers?.reload(config, () => {
      this.#config = config;
    });
    this.#setPathManager();
    this.resync();
    await this.#monitor?.settled();
    await this.#reconciler.settled();
  }

  /** Reads the network and the kernel's endpoints again. */
  resync(): void {
    this.#monitor?.resync();
    this.#reconciler.resync();
  }

  /** Stops; what becomes of the endpoints is for `on-stop` to say. Connections of the kernel's path manager use them. */
  async stop(): Promise<void> {
    try {
      try {
        await this.#pathManagers?.stop();
      } finally {
        await this.#reconciler.stop({ remove: this.#config.onStop === "remove" });
      }
    } finally {
      await this.#close();
    }
  }

  get #network(): Network {
    return this.#monitor?.network ?? emptyNetwork;
  }

  /** What the path managers in charge need the kernel's to be; undefined: any. */
  get #neededPathManager(): string | undefined {
    const needs = this.#pathManagers?.charge.needs ?? "kernel";
    return needs === "any" ? undefined : needs;
  }

  async #loadPlugins({ runtimeDirectory, log, debug }: DaemonOptions, namespace: NamespaceIdentity) {
    this.#pathManagers = await PathManagers.prepare(this.#config, {
      ...{ runtimeDirectory, namespace, log, debug },
      onWanted: () => this.#reconciler.trigger(),
      onCharge: () => {
        if (this.#monitor === undefined) return;
        this.#setPathManager();
        this.#reconciler.trigger();
      },
    });
    const problem = this.#setPathManager();
    if (problem === undefined || this.#neededPathManager !== "userspace") return;
    const { connections } = this.#pathManagers.charge;
    throw new StartError(
      `${connections.join(", ")} needs the kernel's userspace path manager: ${problem.message}; ` +
        "set it by hand, with kernel-path-manager=keep in the configuration",
    );
  }

  /** Sets the kernel's path manager as the configuration has it. @returns why that is not possible */
  #setPathManager(): SysctlError | undefined {
    const { kernelPathManager: given } = this.#config;
    const wanted = given === "auto" ? this.#neededPathManager : given === "keep" ? undefined : given;
    return this.#keepPathManager(() => this.#keeper.want(wanted));
  }

  #keepPathManager(action: () => void): SysctlError | undefined {
    try {
      action();
      return undefined;
    } catch (error) {
      if (!(error instanceof SysctlError)) throw error;
      this.#log.warning(error.message);
      return error;
    }
  }

  async #listen(): Promise<void> {
    this.#monitor = await NetworkMonitor.start({
      log: this.#log,
      // Not before the network was read: an empty one would have no endpoints.
      onChange: () => this.#monitor && this.#reconciler.trigger(),
    });
  }

  async #close(): Promise<void> {
    await this.#pathManagers?.stop();
    // New connections shall not wait for path managers that are gone.
    if (this.#lock) this.#keepPathManager(() => this.#keeper.restore());
    this.#monitor?.close();
    this.#pm.close();
    if (this.#lock) for (const file of this.#files) file.close();
    this.#lock?.release();
  }
}

const LEDGER_LOST =
  "mptcpd goes on, but if it is killed before that file is written, the next mptcpd takes the endpoints that are made " +
  "now for somebody else's";
const REFUSED_LOST = "mptcpctl explain does not know what the kernel refuses";

async function readAddressLoads() {
  const sockets = Sockets.open();
  try {
    return addressLoads(await sockets.dumpOutlines());
  } finally {
    sockets.close();
  }
}

async function readResolving() {
  const connection = openRtnetlink();
  try {
    return await resolvingInterfaces(connection);
  } finally {
    connection.close();
  }
}

function takeLock(
  { runtimeDirectory: directory, log }: DaemonOptions,
  namespace: NamespaceIdentity,
): DaemonLock {
  let lock: ReturnType<typeof DaemonLock.take>;
  try {
    lock = DaemonLock.take({ directory, namespace, log, clock: systemClock });
  } catch (error) {
    throw new StartError(
      `cannot use the runtime directory ${directory} (${messageOf(error)}): give another with --runtime-dir`,
    );
  }
  if (lock instanceof DaemonLock) return lock;
  const holder = lock.holder === undefined ? "another mptcpd" : `mptcpd with pid ${lock.holder}`;
  throw new StartError(`${holder} serves this network namespace already: stop it first`);
}
