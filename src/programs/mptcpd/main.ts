import { writeFileSync } from "node:fs";
import { complainAtEnd, writeError } from "../../base/command-line/terminal.ts";
import { traceOf } from "../../base/errors.ts";
import { oneLine } from "../../base/text.ts";
import { ConfigError } from "../../control/config/config.ts";
import { exitNow } from "../../kernel/threads.ts";
import { isThreadCaught } from "../../path-managers/runtime/path-manager-thread.ts";
import { PathManagersRefusedError } from "../../path-managers/runtime/thread-failure.ts";
import { parseArguments } from "./arguments.ts";
import { EXIT_FAILURE, EXIT_SOFTWARE, EXIT_USAGE, StartError } from "./exit.ts";
import { Service } from "./service.ts";

async function main(): Promise<void> {
  const request = parseArguments(process.argv.slice(2));
  switch (request.kind) {
    case "print":
      (await oneShots()).print(request.text);
      return;
    case "usageError":
      writeError(request.text);
      process.exitCode = EXIT_USAGE;
      return;
    case "run":
      if (request.check) await (await oneShots()).check(request);
      else if (request.plan) await (await oneShots()).printPlan(request);
      else if (request.reload) await (await oneShots()).reload(request);
      else {
        nameProcess();
        await new Service(request).run();
      }
  }
}

/** Only loaded for one of them: a start does without. */
const oneShots = () => import("./one-shots.ts");

/**
 * For ps(1) and pidof(8), which would know it as "node" or "MainThread". Node's own way would cut off the arguments.
 */
function nameProcess(): void {
  try {
    writeFileSync("/proc/self/comm", "mptcpd");
  } catch {
    // Where /proc is missing nobody looks.
  }
}

/** What to say about an error, and how to exit. */
function endingOf(error: unknown): { readonly exitCode: number; readonly lines: readonly string[] } {
  if (error instanceof ConfigError || error instanceof PathManagersRefusedError)
    return { exitCode: EXIT_FAILURE, lines: error.lines.map(oneLine) };
  if (error instanceof StartError) return { exitCode: EXIT_FAILURE, lines: [oneLine(error.message)] };
  return { exitCode: EXIT_SOFTWARE, lines: [`a fault of mptcpd itself: ${traceOf(error)}`] };
}

main().catch((error: unknown) => {
  const { exitCode, lines } = endingOf(error);
  for (const line of lines) complainAtEnd("mptcpd", line);
  if (isThreadCaught()) exitNow(exitCode);
  process.exit(exitCode);
});
