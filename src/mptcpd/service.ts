import { ConfigError } from "../config/error.ts";
import { type LoadedConfig, loadConfig } from "../config/load.ts";
import { exitNow, sendDatagram } from "../kernel/system.ts";
import { createLogger, type Logger, type Sink } from "../log/log.ts";
import { openSink } from "../log/sinks.ts";
import { isThreadCaught, PluginsRefusedError } from "../plugins/worker.ts";
import { Daemon } from "./daemon.ts";
import { EXIT_FAILURE, EXIT_SOFTWARE } from "./exit.ts";
import { createNotifier } from "./notify.ts";
import type { Settings } from "./options.ts";
import { signals } from "./signals.ts";
import { StartError } from "./start-error.ts";

/** The daemon as a service: its log, its signals, and what the service manager is told. */
export class Service {
  readonly #request: Settings;
  readonly #notifier = createNotifier({ environment: process.env, sendDatagram });
  #loaded: LoadedConfig;
  #sink: Sink;
  #log: Logger;
  #daemon: Daemon | undefined;
  #reloadAsked = false;
  #reloading: Promise<void> = Promise.resolve();

  constructor(request: Settings) {
    this.#request = request;
    this.#loaded = load(request);
    this.#sink = openSink(this.#loaded.config.log, { sendDatagram });
    this.#log = createLogger({ sink: this.#sink, debug: request.debug });
  }

  async run(): Promise<void> {
    process.on("uncaughtException", (error) => this.#crash(error));
    const stopped = this.#listenToSignals();
    this.#sayWarnings();
    const asked = new AbortController();
    void stopped.then(() => asked.abort());
    const daemon = await this.#start(asked.signal);
    if (!daemon) return;
    if (!asked.signal.aborted) {
      this.#daemon = daemon;
      this.#keepWatchdog();
      this.#notifier.ready();
      this.#log.notice("ready");
      if (this.#reloadAsked) this.#reloadInTurn();
      await this.#reloading;
      await stopped;
    }
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
      await daemon.stop();
      this.#log.notice("stopped");
      return 0;
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      this.#log.error(`stopped, but not everything could be removed: ${cause}`);
      return EXIT_FAILURE;
    } finally {
      this.#sink.close();
    }
  }

  /** From the first moment, since others know our pid as soon as we hold the lock. Resolves at SIGTERM or SIGINT. */
  #listenToSignals(): Promise<void> {
    process.on(signals.reload, () => this.#reloadInTurn());
    // Also so that Node does not open a debugger's port.
    process.on(signals.resync, () => this.#daemon?.resync());
    process.on(signals.ignore, () => undefined);
    return new Promise((resolve) => {
      for (const signal of signals.stop) process.once(signal, () => resolve());
    });
  }

  /** The signal ends it: nothing that it has begun is left. */
  async #start(signal: AbortSignal): Promise<Daemon | undefined> {
    const log = forwardTo(() => this.#log);
    try {
      return await Daemon.start({
        config: this.#loaded.config,
        runtimeDirectory: this.#request.runtimeDir,
        log,
        debug: this.#request.debug,
        signal,
      });
    } catch (error) {
      if (signal.aborted) {
        this.#notifier.stopping();
        this.#log.notice("stopped before it was ready");
        return this.#exit(0);
      }
      if (!(error instanceof StartError || error instanceof PluginsRefusedError)) throw error;
      for (const line of linesOf(error)) this.#log.error(line);
      process.exitCode = EXIT_FAILURE;
      if (isThreadCaught()) exitNow(EXIT_FAILURE);
      return undefined;
    }
  }

  /** One after the other: each has the file as it is at its turn. */
  #reloadInTurn(): void {
    this.#reloading = this.#reloading.then(() => this.#reload());
  }

  /** A file that is wrong is refused as a whole: the old configuration stays in force. */
  async #reload(): Promise<void> {
    const daemon = this.#daemon;
    if (!daemon) {
      this.#reloadAsked = true;
      return;
    }
    this.#notifier.reloading();
    try {
      const loaded = load(this.#request);
      await daemon.reload(loaded.config);
      this.#loaded = loaded;
      this.#reopenLog();
      this.#sayWarnings();
      this.#log.notice("configuration reloaded");
    } catch (error) {
      if (!(error instanceof ConfigError || error instanceof PluginsRefusedError)) throw error;
      for (const line of error.lines) this.#log.error(line);
      this.#log.error("the configuration was not reloaded: the old one stays in force");
      daemon.resync();
    }
    this.#notifier.ready();
  }

  #reopenLog(): void {
    this.#sink.close();
    this.#sink = openSink(this.#loaded.config.log, { sendDatagram });
    this.#log = createLogger({ sink: this.#sink, debug: this.#request.debug });
  }

  #sayWarnings(): void {
    const { warnings, notices } = this.#loaded;
    for (const line of warnings) this.#log.warning(line);
    for (const line of notices) this.#log.notice(line);
  }

  #keepWatchdog(): void {
    const interval = this.#notifier.watchdogInterval;
    if (interval !== undefined) setInterval(() => this.#notifier.watchdog(), interval).unref();
  }

  #crash(error: unknown): void {
    const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#log.error(`a fault of mptcpd itself: ${trace}`);
    process.exit(EXIT_SOFTWARE);
  }
}

/** The configuration that a command line asks for. Throws ConfigError. */
export function load({ configFile, overrides }: Settings): LoadedConfig {
  return loadConfig({
    overrides,
    ...(configFile !== undefined && { file: configFile, mustExist: true }),
  });
}

function linesOf(error: StartError | PluginsRefusedError): readonly string[] {
  return error instanceof PluginsRefusedError ? error.lines : [error.message];
}

/** A logger for those who keep one while the destination may change under them. */
function forwardTo(current: () => Logger): Logger {
  return {
    debug: (message, fields) => current().debug(message, fields),
    info: (message, fields) => current().info(message, fields),
    notice: (message, fields) => current().notice(message, fields),
    warning: (message, fields) => current().warning(message, fields),
    error: (message, fields) => current().error(message, fields),
  };
}
