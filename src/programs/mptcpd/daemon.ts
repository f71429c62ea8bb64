import { systemClock } from "../../base/clock.ts";
import type { Logger } from "../../base/log/log.ts";
import type { Config } from "../../control/config/config.ts";
import { Adoptions } from "../../control/endpoints/adoption.ts";
import type { DaemonLock } from "../../control/endpoints/daemon-lock.ts";
import { currentNamespace, type NamespaceIdentity } from "../../control/endpoints/namespace.ts";
import { type Preview, Reconciler } from "../../control/endpoints/reconciler.ts";
import { RuntimeDirectory } from "../../control/endpoints/runtime-directory.ts";
import { NetworkMonitor } from "../../control/network/monitor.ts";
import { emptyNetwork, type Network } from "../../control/network/network.ts";
import { usableAddresses } from "../../control/policy/host-addresses.ts";
import { everyAddress } from "../../control/policy/input.ts";
import { removalCounter } from "../../kernel/counters.ts";
import { MptcpPm } from "../../kernel/mptcp-pm.ts";
import { persist, unlessAborted } from "../../kernel/netlink/persist.ts";
import { Sysctls } from "../../kernel/sysctl.ts";
import { builtIn } from "../../path-managers/built-in/index.ts";
import { KernelPathManager, SysctlWatch } from "../../path-managers/runtime/kernel-path-manager.ts";
import { PathManagers } from "../../path-managers/runtime/path-managers.ts";
import { StartError } from "./exit.ts";
import { lostTo, requireLock, requireMptcp, requirePermission } from "./preconditions.ts";
import { readAddressLoads, readResolving } from "./readings.ts";
import { DecisionTrace, type Summary } from "./status.ts";

export interface DaemonOptions {
  readonly config: Config;
  readonly runtimeDirectory: string;
  readonly log: Logger;
  /** Say each decision of the policy. */
  readonly debug: boolean;
  /** Ends a start that is under way. */
  readonly signal?: AbortSignal;
  /** Told once this process is the only mptcpd of its network namespace. */
  readonly onOwner?: (namespace: NamespaceIdentity, isOwner: () => boolean) => void;
  /** Told why this process must end: another one serves the network namespace. `abandon` is how. */
  readonly onLost?: (why: string) => void;
  /** Told of what may have changed the summary. */
  readonly onChange?: () => void;
}

/** The parts of mptcpd, wired: monitor → policy → reconciler → kernel, and beside it the path managers. */
export class Daemon {
  readonly #log: Logger;
  readonly #pm: MptcpPm;
  readonly #reconciler: Reconciler;
  readonly #kernelPathManager: KernelPathManager;
  readonly #directory: RuntimeDirectory;
  #config: Config;
  #pathManagers: PathManagers | undefined;
  #monitor: NetworkMonitor | undefined;

  /**
   * Starts to serve the network namespace of this process; resolves when its endpoints are what they should be, or the
   * first try to make them so has failed and is being repeated, and its path managers know of all connections. However
   * long the kernel takes to answer, it is waited for. The signal ends that: rejects with its reason where nothing was
   * changed yet, and resolves at once where there is something to stop.
   *
   * @throws StartError where the daemon cannot run
   * @throws PathManagersRefusedError where its plugins cannot be loaded
   */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const { log, signal } = options;
    const patience = { log, signal, clock: systemClock };
    requireMptcp(new Sysctls());
    const pm = await persist(() => MptcpPm.open(), patience);
    let daemon: Daemon | undefined;
    try {
      await persist(() => requirePermission(pm), patience);
      const namespace = currentNamespace();
      const lock = await requireLock(
        {
          ...options,
          onRetaken: () => (daemon ? daemon.#retakeFiles() : undefined),
          onLost: (holder) => options.onLost?.(lostTo(holder)),
        },
        namespace,
      );
      daemon = new Daemon(options, pm, namespace, lock);
      const directory = daemon.#directory;
      options.onOwner?.(namespace, () => directory.check());
      await daemon.#loadPathManagers(options, namespace);
      await daemon.#listen(signal);
    } catch (error) {
      if (daemon) await daemon.#close();
      else pm.close();
      throw signal?.aborted ? signal.reason : error;
    }
    await unlessAborted(daemon.#begin(), signal).catch((error) => {
      if (!signal?.aborted) throw error;
    });
    return daemon;
  }

  /**
   * What the daemon would do by default if it were started now. Changes nothing, loads nothing, and needs no privilege.
   */
  static async preview(options: DaemonOptions): Promise<{ preview: Preview; network: Network }> {
    requireMptcp(new Sysctls());
    const patience = { log: options.log, clock: systemClock };
    const pm = await persist(() => MptcpPm.open(), patience);
    const daemon = new Daemon(options, pm, currentNamespace(), undefined);
    try {
      await daemon.#listen();
      return { preview: await daemon.#reconciler.preview(), network: daemon.#network };
    } finally {
      await daemon.#close();
    }
  }

  private constructor(
    { config, runtimeDirectory, log, debug, onChange }: DaemonOptions,
    pm: MptcpPm,
    namespace: NamespaceIdentity,
    lock: DaemonLock | undefined,
  ) {
    const directory = new RuntimeDirectory({
      ...{ directory: runtimeDirectory, namespace, lock, log, clock: systemClock },
    });
    const { ledger } = directory;
    const adoptions = new Adoptions({ directory: runtimeDirectory, namespace, ledger, log });
    const trace = new DecisionTrace(log);
    const sysctls = new Sysctls();
    const sysctlWatch = new SysctlWatch(sysctls, log, () => this.#pathManagers?.responsibility);
    this.#config = config;
    this.#log = log;
    this.#pm = pm;
    this.#directory = directory;
    this.#kernelPathManager = new KernelPathManager({ sysctls, ledger, log });
    this.#reconciler = new Reconciler({
      kernel: pm,
      ledger,
      log,
      clock: systemClock,
      wallClock: Date.now,
      removalsSent: removalCounter(),
      addressLoads: readAddressLoads,
      resolving: readResolving,
      network: () => this.#network,
      config: () => this.#config,
      wanted: () => (this.#pathManagers ? this.#pathManagers.wanted : everyAddress),
      onDecisions: (decisions) => {
        if (debug) trace.follow(decisions);
        onChange?.();
      },
      beforeReading: () => {
        if (!directory.restore()) return;
        this.#kernelPathManager.check();
        sysctlWatch.check();
        // Ways out that no notification told of, such as a route's next-hop object.
        this.#monitor?.resyncRouting();
        adoptions.collect();
      },
      onRefusals: (refusals) => directory.publishRefusals(refusals),
    });
  }

  /**
   * Takes a new configuration into force; resolves when everything was read again and is as it should be.
   *
   * @throws PathManagersRefusedError where its plugins cannot be loaded: then the old one stays in force
   */
  async reload(config: Config): Promise<void> {
    const before = this.#config;
    try {
      await this.#pathManagers?.reload(config, {
        verify: (responsibility) => this.#kernelPathManager.require(config, responsibility),
        admit: () => {
          this.#config = config;
        },
      });
    } catch (error) {
      this.#config = before;
      this.#setPathManager();
      throw error;
    }
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

  /** What it does at the moment. */
  get summary(): Summary {
    const { endpoints, connections = [] } = this.#pathManagers?.responsibility ?? {};
    const usable = usableAddresses(this.#network, this.#config);
    return {
      endpoints: this.#directory.ledger.endpoints.length,
      uplinks: new Set(usable.map(({ ifIndex }) => ifIndex)).size,
      pathManagers: [...new Set([...(endpoints === undefined ? [] : [endpoints]), ...connections])],
    };
  }

  /**
   * Stops; what becomes of the endpoints is for `on-stop` to say. Connections of the kernel's path manager use them.
   */
  async stop(): Promise<void> {
    // Somebody may have emptied the runtime directory since the last look, and another mptcpd may have begun.
    if (!this.#directory.check()) {
      this.#log.warning(
        "another process has the lock of this network namespace: this one leaves the endpoints as they are",
      );
      return await this.abandon();
    }
    this.#directory.announceRelease();
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

  /**
   * Stops and leaves everything as it is: endpoints, limits and sysctls, and the files of the runtime directory, which
   * another mptcpd now goes by.
   */
  async abandon(): Promise<void> {
    await this.#pathManagers?.stop();
    await this.#reconciler.stop({ remove: false });
    await this.#close();
  }

  async #begin(): Promise<void> {
    const takenOver = this.#pathManagers?.takeOver();
    // What is known by now need not wait for a path manager that takes its time to begin.
    this.#reconciler.trigger();
    await takenOver;
    this.#reconciler.trigger();
    await this.#reconciler.settled();
  }

  #retakeFiles(): void {
    this.#directory.retake();
    this.#reconciler.trigger();
  }

  get #network(): Network {
    return this.#monitor?.network ?? emptyNetwork;
  }

  async #loadPathManagers(options: DaemonOptions, namespace: NamespaceIdentity): Promise<void> {
    const { runtimeDirectory, log, debug, signal, onChange } = options;
    this.#pathManagers = await PathManagers.prepare(this.#config, {
      ...{ builtIn, runtimeDirectory, namespace, log, debug, signal },
      stateFile: (file, consequence) => this.#directory.stateFile(file, consequence),
      onWanted: () => this.#reconciler.trigger(),
      onEndpointCommand: (command) => this.#reconciler.command(command),
      onResponsibility: () => {
        onChange?.();
        if (this.#monitor === undefined) return;
        this.#setPathManager();
        this.#reconciler.trigger();
      },
    });
    const problem = this.#setPathManager();
    if (problem !== undefined) throw new StartError(problem);
  }

  /** Sets the kernel's path manager as the configuration has it. @returns why those in charge cannot work */
  #setPathManager(): string | undefined {
    return this.#kernelPathManager.set(this.#config, this.#pathManagers?.responsibility);
  }

  async #listen(signal?: AbortSignal): Promise<void> {
    this.#monitor = await NetworkMonitor.start({
      ...{ log: this.#log, signal },
      // Not before the network was read: an empty one would have no endpoints.
      onChange: () => this.#monitor && this.#reconciler.trigger(),
    });
  }

  async #close(): Promise<void> {
    await this.#pathManagers?.stop();
    // New connections shall not wait for path managers that are gone.
    if (this.#directory.isOurs) this.#kernelPathManager.restore();
    this.#monitor?.close();
    this.#pm.close();
    this.#directory.close();
  }
}
