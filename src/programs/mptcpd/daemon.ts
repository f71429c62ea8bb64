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
  /** Called when this process is the only mptcpd of its network namespace. */
  readonly onOwner?: (namespace: NamespaceIdentity, isOwner: () => boolean) => void;
  /** Called if another mptcpd serves the network namespace, with the reason: then end this one with `abandon`. */
  readonly onLost?: (why: string) => void;
  /** Called when the summary may have changed. */
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
   * Starts to serve the network namespace of this process. Resolves when its path managers know all connections, and
   * the endpoints are as wanted or the first attempt has failed and is being repeated. Waits for the kernel however
   * long it takes to answer. The signal ends the start: if nothing was changed yet, rejects with its reason; if there
   * is something to stop, resolves at once.
   *
   * @throws StartError if the daemon cannot run
   * @throws PathManagersRefusedError if its plugins cannot be loaded
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
   * The steps that the daemon would take by default if it started now. Changes nothing, loads nothing, and needs no
   * privilege.
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
        // Finds ways out that no notification tells of, such as a route's next-hop object.
        this.#monitor?.resyncRouting();
        adoptions.collect();
      },
      onRefusals: (refusals) => directory.publishRefusals(refusals),
    });
  }

  /**
   * Puts a new configuration in force. Resolves when everything was read again and is as wanted.
   *
   * @throws PathManagersRefusedError if its plugins cannot be loaded: then the old configuration stays in force
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
   * Stops. `on-stop` decides whether the endpoints stay: connections of the kernel's path manager use them.
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
   * Stops and leaves everything as it is: endpoints, limits, sysctls, and the files of the runtime directory, which
   * another mptcpd uses now.
   */
  async abandon(): Promise<void> {
    await this.#pathManagers?.stop();
    await this.#reconciler.stop({ remove: false });
    await this.#close();
  }

  async #begin(): Promise<void> {
    const takenOver = this.#pathManagers?.takeOver();
    // Do not let the known endpoints wait for a path manager that is slow to begin.
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
    // Otherwise new connections would wait for path managers that are gone.
    if (this.#directory.isOurs) this.#kernelPathManager.restore();
    this.#monitor?.close();
    this.#pm.close();
    this.#directory.close();
  }
}
