/** What mptcpd does in place of running as a service: `--check`, `--plan`, `--reload`, and the printing of help. */
import { complain, writeError, writeOutput } from "../../base/command-line/terminal.ts";
import { createLogger } from "../../base/log/log.ts";
import { openSink } from "../../base/log/sinks.ts";
import { oneLine } from "../../base/text.ts";
import { ConfigError } from "../../control/config/config.ts";
import { describeEndpoint } from "../../control/endpoints/endpoint-record.ts";
import { interfaceName } from "../../control/network/network.ts";
import { sendDatagram } from "../../kernel/native-sockets.ts";
import { builtIn } from "../../path-managers/built-in/index.ts";
import { checkPathManagers, setupOf } from "../../path-managers/runtime/path-manager-setup.ts";
import { askToReload } from "./ask-to-reload.ts";
import { checkReadable } from "./check-readable.ts";
import { Daemon } from "./daemon.ts";
import { EXIT_FAILURE } from "./exit.ts";
import type { Settings } from "./options.ts";
import { loadConfigFor } from "./service.ts";

/** `--check`: says what is wrong with the configuration. */
export async function check(request: Settings): Promise<void> {
  const loaded = loadConfigFor(request);
  const { sources, warnings } = await checkPathManagers(loaded.config, builtIn);
  const files = await checkReadable(request, loaded.file, sources);
  if (files.errors.length > 0) throw new ConfigError(files.errors);
  const said = [...loaded.warnings, ...warnings, ...files.warnings, ...loaded.notices];
  for (const line of said) writeError(`${oneLine(line)}\n`);
  print("the configuration is valid\n");
}

/** `--reload`: says what became of it. */
export async function reload(request: Settings): Promise<void> {
  const { isInForce, lines } = await askToReload(request);
  for (const line of lines) writeError(`mptcpd: ${oneLine(line)}\n`);
  if (isInForce) print("the configuration is in force\n");
  else process.exitCode = EXIT_FAILURE;
}

/** `--plan`: says what a start would change. */
export async function printPlan(request: Settings): Promise<void> {
  const { config } = loadConfigFor(request);
  if (setupOf(config, builtIn).needsThread)
    writeError("the plan does not ask plugins: they may want other endpoints than these\n");
  const log = createLogger({ sink: openSink("stderr", { sendDatagram }), debug: request.debug });
  const { runtimeDir: runtimeDirectory, debug } = request;
  const { preview, network } = await Daemon.preview({ config, runtimeDirectory, log, debug });
  const lines = preview.steps.map((step) => {
    const what = step.kind === "change" ? { ...step.endpoint, flags: step.flags } : step.endpoint;
    return `${step.kind} ${describeEndpoint(what, interfaceName(network, what.ifIndex))}: ${step.reason}`;
  });
  if (lines.length === 0) lines.push("nothing to change");
  const [subflows, accepted] = [preview.limits.subflows, preview.limits.addAddrAccepted].map(
    (limit) => limit ?? "the kernel's maximum",
  );
  lines.push(`limits: subflows ${subflows}, add_addr_accepted ${accepted}`);
  print(`${lines.join("\n")}\n`);
}

export function print(text: string): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    // The reader of the pipe has gone (`| head`): there is no one left to tell.
    if (error.code === "EPIPE") process.exit(0);
    complain("mptcpd", `cannot write the output: ${error.message}`);
    process.exit(EXIT_FAILURE);
  });
  writeOutput(text);
}
