import { ConfigError } from "../config/error.ts";
import type { LoadedConfig } from "../config/load.ts";
import { loadConfig } from "../config/load.ts";
import { pluginWarnings } from "../config/plugins.ts";
import { describeEndpoint } from "../endpoints/plan.ts";
import type { Logger, Sink } from "../log/log.ts";
import { createLogger } from "../log/log.ts";
import { openSink } from "../log/sinks.ts";
import { sendDatagram } from "../netlink/addon.ts";
import { interfaceName } from "../network/network.ts";
import { parseArguments } from "./arguments.ts";
import { Daemon } from "./daemon.ts";
import { createNotifier } from "./notify.ts";
import type { Settings } from "./options.ts";
import { StartError } from "./start-error.ts";

/** Exit codes: sysexits(3) for usage and for our own faults, 1 for what the administrator can mend. */
const EXIT_FAILURE = 1;
const EXIT_USAGE = 64;
const EXIT_SOFTWARE = 70;

async function main(): Promise<void> {
  const request = parseArguments(process.argv.slice(2));
  switch (request.kind) {
    case "print":
      process.stdout.write(request.text);
      return;
    case "usageError":
      process.stderr.write(request.text);
      process.exitCode = EXIT_USAGE;
      return;
    case "run":
      if (request.check) check(request);
      else if (request.plan) await printPlan(request);
      else await new Service(request).run();
  }
}

/** `--check`: says what is wrong with the configuration. */
function check(request: Settings): void {
  const { warnings, notices } = load(request);
  for (const line of [...warnings, ...notices]) process.stderr.write(`${line}\n`);
  process.stdout.write("the configuration is valid\n");
}

/** `--plan`: says what a start would change. */
async function printPlan(request: Settings): Promise<void> {
  const { config } = load(request);
  const log = toStderr(request.debug);
  const { preview, network } = await Daemon.preview({
    config,
    runtimeDirectory: request.runtimeDir,
    log,
    debug: request.debug,
  });
  const lines = preview.steps.map((step) => {
    const what = step.kind === "change" ? { ...step.endpoint, flags: step.flags } : step.endpoint;
    return `${step.kind} ${describeEndpoint(what, interfaceName(network, what.ifIndex))}: ${step.reason}`;
  });
  if (lines.length === 0) lines.push("nothing to change");
  const { subflows, addAddrAccepted } = preview.limits;
  lines.push(`limits: subflows ${subflows}, add_addr_accepted ${addAddrAccepted}`);
  process.stdout.write(`${lines.join("\n")}\n`);
}

/** The daemon as a service: its log, its signals, and what the service manager is told. */
class Service {
  readonly #request: Settings;
  readonly #notifier = createNotifier({ environment: process.env, sendDatagram });
  #loaded: LoadedConfig;
  #sink: Sink;
  #log: Logger;
  #daemon: Daemon | undefined;
  #reloadAsked = false;

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
    const daemon = await this.#start();
    if (!daemon) return;
    this.#daemon = daemon;
    this.#keepWatchdog();
    this.#notifier.ready();
    this.#log.notice("ready");
    if (this.#reloadAsked) await this.#reload();
    await stopped;
    this.#notifier.stopping();
    await daemon.stop();
    this.#log.notice("stopped");
    this.#sink.close();
    process.exit(0);
  }

  /** From the first moment, since others know our pid as soon as we hold the lock. Resolves at SIGTERM or SIGINT. */
  #listenToSignals(): Promise<void> {
    process.on("SIGHUP", () => void this.#reload());
    // Node would open a debugger's port at SIGUSR1, and die at SIGUSR2.
    for (const signal of ["SIGUSR1", "SIGUSR2"] as const) process.on(signal, () => undefined);
    return new Promise((resolve) => {
      for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
    });
  }

  async #start(): Promise<Daemon | undefined> {
    const log = forwardTo(() => this.#log);
    try {
      return await Daemon.start({
        config: this.#loaded.config,
        runtimeDirectory: this.#request.runtimeDir,
        log,
        debug: this.#request.debug,
      });
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      this.#log.error(error.message);
      process.exitCode = EXIT_FAILURE;
      return undefined;
    }
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
      this.#loaded = load(this.#request);
      this.#reopenLog();
      this.#sayWarnings();
      await daemon.reload(this.#loaded.config);
      this.#log.notice("configuration reloaded");
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
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
    const { config, warnings, notices } = this.#loaded;
    for (const line of [...warnings, ...pluginWarnings(config)]) this.#log.warning(line);
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

function load({ configFile, overrides }: Settings): LoadedConfig {
  return loadConfig({ overrides, ...(configFile !== undefined && { file: configFile, mustExist: true }) });
}

function toStderr(debug: boolean): Logger {
  return createLogger({ sink: openSink("stderr", { sendDatagram }), debug });
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

main().catch((error: unknown) => {
  const lines = error instanceof ConfigError ? error.lines : [];
  for (const line of lines) process.stderr.write(`mptcpd: ${line}\n`);
  if (lines.length > 0) process.exit(EXIT_FAILURE);
  if (error instanceof StartError) {
    process.stderr.write(`mptcpd: ${error.message}\n`);
    process.exit(EXIT_FAILURE);
  }
  process.stderr.write(
    `mptcpd: a fault of mptcpd itself: ${error instanceof Error ? error.stack : String(error)}\n`,
  );
  process.exit(EXIT_SOFTWARE);
});
