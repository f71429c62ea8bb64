import { every, systemClock } from "../../base/clock.ts";
import { messageOf, traceOf } from "../../base/errors.ts";
import { GarbageCollector } from "../../base/garbage.ts";
import { ConfigError } from "../../control/config/config.ts";
import { type LoadedConfig, loadConfig } from "../../control/config/load.ts";
import { type NamespaceIdentity, namespaceFile } from "../../control/endpoints/namespace.ts";
import { sendDatagram } from "../../kernel/native-sockets.ts";
import { exitNow } from "../../kernel/threads.ts";
import { isThreadCaught } from "../../path-managers/runtime/path-manager-thread.ts";
import { PathManagersRefusedError } from "../../path-managers/runtime/thread-failure.ts";
import { Daemon } from "./daemon.ts";
import { EXIT_FAILURE, EXIT_SOFTWARE, StartError, signals } from "./exit.ts";
import { createNotifier } from "./notify.ts";
import type { Settings } from "./options.ts";
import { ReloadSocket, type Verdict } from "./reload-socket.ts";
import { ServiceLog } from "./service-log.ts";
import { type InForce, StatusLine, statusText } from "./status.ts";

/** The daemon as a service: its log, its signals, and its messages to the service manager. */
export class Service {
  readonly #request: Settings;
  readonly #notifier = createNotifier({ environment: process.env, sendDatagram });
  #loaded: LoadedConfig;
  readonly #log: ServiceLog;
  #daemon: Daemon | undefined;
  readonly #status = new StatusLine({
    clock: systemClock,
    text: () => (this.#daemon ? statusText(this.#inForce, this.#daemon.summary) : undefined),
    tell: (text) => this.#notifier.status(text),
  });
  readonly #garbage = new GarbageCollector(systemClock);
  #inForce: InForce;
  #reloadSocket: ReloadSocket | undefined;
  #reloadAsked = false;
  #reloading: Promise<unknown> = Promise.resolve();
  #resolveReady: () => void = () => undefined;
  readonly #ready = new Promise<void>((resolve) => {
    this.#resolveReady = resolve;
  });
  #isLockLost = false;
  #resolveLockLost: () => void = () => undefined;
  readonly #lockLost = new Promise<void>((resolve) => {
    this.#resolveLockLost = resolve;
  });

  constructor(request: Settings) {
    this.#request = request;
    this.#loaded = loadConfigFor(request);
    this.#inForce = { file: this.#loaded.file, since: new Date(), refused: undefined };
    this.#log = new ServiceLog(this.#loaded.config.log, request);
  }

  async run(): Promise<void> {
    process.on("uncaughtException", (error) => this.#crash(error));
    const stopped = this.#listenToSignals();
    this.#sayWarnings();
    const asked = new AbortController();
    void stopped.then(() => asked.abort());
    const daemon = await this.#start(asked.signal);
    if (!daemon) return;
    if (!asked.signal.aborted && !this.#isLockLost) {
      this.#daemon = daemon;
      this.#keepWatchdog();
      this.#status.update();
      this.#reloadSocket?.ensure();
      this.#notifier.ready();
      this.#log.notice("ready");
      this.#resolveReady();
      if (this.#reloadAsked) void this.#reloadInTurn();
      await this.#reloading;
      await Promise.race([stopped, this.#lockLost]);
    }
    this.#reloadSocket?.close();
    this.#notifier.stopping();
    const status = await this.#stop(daemon);
    this.#exit(status);
  }

  #exit(status: number): never {
    // Node would wait for a thread that does not come back.
    if (isThreadCaught()) exitNow(status);
    process.exit(status);
  }

  async #stop(daemon: Daemon): Promise<number> {
    try {
      if (this.#isLockLost) {
        await daemon.abandon();
        return EXIT_FAILURE;
      }
      await daemon.stop();
      this.#log.notice("stopped");
      return 0;
    } catch (error) {
      this.#log.error(`stopped, but not everything could be removed: ${messageOf(error)}`);
      return EXIT_FAILURE;
    } finally {
      this.#notifier.status("");
      this.#log.close();
    }
  }

  /** From the first moment, since others know our pid as soon as we hold the lock. Resolves at SIGTERM or SIGINT. */
  #listenToSignals(): Promise<void> {
    process.on(signals.reload, () => {
      this.#reloadSocket?.ensure();
      void this.#reloadInTurn();
    });
    // Also so that Node does not open a debugger's port.
    process.on(signals.resync, () => {
      this.#reloadSocket?.ensure();
      this.#daemon?.resync();
    });
    process.on(signals.ignore, () => undefined);
    return new Promise((resolve) => {
      for (const signal of signals.stop) process.once(signal, () => resolve());
    });
  }

  /** The signal ends it: nothing that it has begun is left. */
  async #start(signal: AbortSignal): Promise<Daemon | undefined> {
    try {
      return await Daemon.start({
        config: this.#loaded.config,
        runtimeDirectory: this.#request.runtimeDir,
        log: this.#log,
        debug: this.#request.debug,
        signal,
        onOwner: (namespace, isOwner) => this.#listenForReloads(namespace, isOwner),
        onLost: (why) => this.#lockTaken(why),
        onChange: () => {
          this.#status.changed();
          this.#garbage.worked();
        },
      });
    } catch (error) {
      this.#reloadSocket?.close();
      if (signal.aborted) {
        this.#notifier.stopping();
        this.#log.notice("stopped before it was ready");
        return this.#exit(0);
      }
      if (!(error instanceof StartError || error instanceof PathManagersRefusedError)) throw error;
      for (const line of linesOf(error)) this.#log.error(line);
      process.exitCode = EXIT_FAILURE;
      if (isThreadCaught()) exitNow(EXIT_FAILURE);
      return undefined;
    }
  }

  /** For programs that wait for the verdict; a request before mptcpd is ready waits until it is. */
  #listenForReloads(namespace: NamespaceIdentity, isAllowed: () => boolean): void {
    const reload = async (): Promise<Verdict> => {
      await this.#ready;
      return (await this.#reloadInTurn()) ?? { isInForce: false, lines: ["mptcpd has not started yet"] };
    };
    this.#reloadSocket = new ReloadSocket({
      path: namespaceFile(this.#request.runtimeDir, namespace, "reload"),
      reload,
      warn: (message) => this.#log.warning(message),
      ...{ clock: systemClock, isAllowed },
    });
    this.#reloadSocket.ensureSoon();
  }

  /** The network namespace is another mptcpd's now. */
  #lockTaken(why: string): void {
    this.#log.error(why);
    this.#isLockLost = true;
    this.#resolveLockLost();
  }

  /** One after the other: each has the file as it is at its turn. */
  #reloadInTurn(): Promise<Verdict | undefined> {
    const turn = this.#reloading.then(() => this.#reload());
    this.#reloading = turn;
    return turn;
  }

  /** Refuses a wrong file as a whole: the old configuration stays in force. */
  async #reload(): Promise<Verdict | undefined> {
    const daemon = this.#daemon;
    if (!daemon) {
      this.#reloadAsked = true;
      return undefined;
    }
    this.#notifier.reloading();
    const verdict = await this.#tryToReload(daemon);
    this.#status.update();
    this.#notifier.ready();
    return verdict;
  }

  async #tryToReload(daemon: Daemon): Promise<Verdict> {
    try {
      const loaded = loadConfigFor(this.#request);
      await daemon.reload(loaded.config);
      this.#loaded = loaded;
      this.#inForce = { file: loaded.file, since: new Date(), refused: undefined };
      this.#log.reopen(loaded.config.log);
      this.#sayWarnings();
      this.#log.notice("configuration reloaded");
      return { isInForce: true, lines: loaded.warnings };
    } catch (error) {
      if (!(error instanceof ConfigError || error instanceof PathManagersRefusedError)) throw error;
      const lines = [...error.lines, "the configuration was not reloaded: the old one stays in force"];
      for (const line of lines) this.#log.error(line);
      this.#inForce = { ...this.#inForce, refused: { at: new Date(), why: lines[0] ?? "" } };
      daemon.resync();
      return { isInForce: false, lines };
    }
  }

  #sayWarnings(): void {
    const { warnings, notices } = this.#loaded;
    for (const line of warnings) this.#log.warning(line);
    for (const line of notices) this.#log.notice(line);
  }

  #keepWatchdog(): void {
    const interval = this.#notifier.watchdogInterval;
    if (interval !== undefined) every(systemClock, interval, () => this.#notifier.watchdog());
  }

  #crash(error: unknown): void {
    this.#log.error(`a fault of mptcpd itself: ${traceOf(error)}`);
    process.exit(EXIT_SOFTWARE);
  }
}

/** The configuration that a command line asks for. Throws ConfigError. */
export function loadConfigFor({ configFile, overrides }: Settings): LoadedConfig {
  return loadConfig({
    overrides,
    ...(configFile !== undefined && { file: configFile, mustExist: true }),
  });
}

function linesOf(error: StartError | PathManagersRefusedError): readonly string[] {
  return error instanceof PathManagersRefusedError ? error.lines : [error.message];
}
