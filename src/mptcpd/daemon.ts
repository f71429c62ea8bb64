import type { Config } from "../config/config.ts";
import { collectAdoptions } from "../endpoints/adoption.ts";
import { systemClock } from "../endpoints/clock.ts";
import { Ledger } from "../endpoints/ledger.ts";
import { currentNamespace, NamespaceLock, prepareRuntimeDirectory } from "../endpoints/namespace.ts";
import type { Preview } from "../endpoints/reconciler.ts";
import { Reconciler } from "../endpoints/reconciler.ts";
import { MptcpPm } from "../kernel/mptcp-pm.ts";
import { Sysctls } from "../kernel/sysctl.ts";
import type { Logger } from "../log/log.ts";
import { NetworkMonitor } from "../network/monitor.ts";
import type { Network } from "../network/network.ts";
import { emptyNetwork } from "../network/network.ts";
import { DecisionTrace } from "./decision-trace.ts";
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

/** The parts of mptcpd, wired: monitor → policy → reconciler → kernel. */
export class Daemon {
  readonly #log: Logger;
  readonly #pm: MptcpPm;
  readonly #reconciler: Reconciler;
  readonly #lock: NamespaceLock | undefined;
  #config: Config;
  #monitor: NetworkMonitor | undefined;

  /**
   * Starts to serve the network namespace of this process; resolves when its endpoints are what they should be, or
   * the first try to make them so has failed and is being repeated.
   *
   * @throws StartError where the daemon cannot run
   */
  static async start(options: DaemonOptions): Promise<Daemon> {
    requireMptcp(new Sysctls());
    const pm = await MptcpPm.open();
    let daemon: Daemon | undefined;
    try {
      await requirePermission(pm);
      daemon = new Daemon(options, pm, takeLock(options.runtimeDirectory));
      await daemon.#listen();
      daemon.#reconciler.trigger();
      await daemon.#reconciler.settled();
      return daemon;
    } catch (error) {
      if (daemon) daemon.#close();
      else pm.close();
      throw error;
    }
  }

  /** What the daemon would do if it were started now. Changes nothing, and needs no privilege. */
  static async preview(options: DaemonOptions): Promise<{ preview: Preview; network: Network }> {
    requireMptcp(new Sysctls());
    const daemon = new Daemon(options, await MptcpPm.open(), undefined);
    try {
      await daemon.#listen();
      return { preview: await daemon.#reconciler.preview(), network: daemon.#network };
    } finally {
      daemon.#close();
    }
  }

  private constructor(
    { config, runtimeDirectory, log, debug }: DaemonOptions,
    pm: MptcpPm,
    lock: NamespaceLock | undefined,
  ) {
    const namespace = currentNamespace();
    const warn = (message: string): void => log.warning(message);
    const ledger = new Ledger({ directory: runtimeDirectory, namespace, warn, readOnly: lock === undefined });
    const trace = new DecisionTrace(log);
    const sysctlWatch = new SysctlWatch(new Sysctls(), log);
    this.#config = config;
    this.#log = log;
    this.#pm = pm;
    this.#lock = lock;
    this.#reconciler = new Reconciler({
      kernel: pm,
      ledger,
      log,
      clock: systemClock,
      network: () => this.#network,
      config: () => this.#config,
      ...(debug && { onDecisions: (decisions) => trace.follow(decisions) }),
      beforeReading: () => {
        if (!lock) return;
        sysctlWatch.check();
        // Ways out that no notification told of, such as a route's next-hop object.
        this.#monitor?.resyncRouting();
        for (const endpoint of collectAdoptions(runtimeDirectory, namespace)) {
          ledger.record(endpoint);
          log.notice(`endpoint ${endpoint.id} ${endpoint.address}: adopted`);
        }
      },
    });
  }

  /** Takes a new configuration into force; resolves when everything was read again and is as it should be. */
  async reload(config: Config): Promise<void> {
    this.#config = config;
    this.resync();
    await this.#monitor?.settled();
    await this.#reconciler.settled();
  }

  /** Reads the network and the kernel's endpoints again. */
  resync(): void {
    this.#monitor?.resync();
    this.#reconciler.resync();
  }

  /** Stops; what becomes of the endpoints is for `on-stop` to say. */
  async stop(): Promise<void> {
    try {
      await this.#reconciler.stop({ remove: this.#config.onStop === "remove" });
    } finally {
      this.#close();
    }
  }

  get #network(): Network {
    return this.#monitor?.network ?? emptyNetwork;
  }

  async #listen(): Promise<void> {
    this.#monitor = await NetworkMonitor.start({
      log: this.#log,
      // Not before the network was read: an empty one would have no endpoints.
      onChange: () => this.#monitor && this.#reconciler.trigger(),
    });
  }

  #close(): void {
    this.#monitor?.close();
    this.#pm.close();
    this.#lock?.release();
  }
}

function takeLock(directory: string): NamespaceLock {
  let lock: ReturnType<typeof NamespaceLock.acquire>;
  try {
    prepareRuntimeDirectory(directory);
    lock = NamespaceLock.acquire(directory, currentNamespace());
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new StartError(
      `cannot use the runtime directory ${directory} (${cause}): give another with --runtime-dir`,
    );
  }
  if (lock instanceof NamespaceLock) return lock;
  const holder = lock.holder === undefined ? "another mptcpd" : `mptcpd with pid ${lock.holder}`;
  throw new StartError(`${holder} serves this network namespace already: stop it first`);
}
