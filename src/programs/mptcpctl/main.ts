import { programArguments } from "../../base/command-line/argument-bytes.ts";
import { complain, complainAtEnd, outputColumns, writeOutput } from "../../base/command-line/terminal.ts";
import { type Commands, runProgram } from "./command-line.ts";
import { runAdopt } from "./commands/adopt.ts";
import { runAnnounce, runListen, runWithdraw } from "./commands/announce.ts";
import { runConnections } from "./commands/connections.ts";
import { runEndpoint, runLimits } from "./commands/endpoint.ts";
import { runExplain } from "./commands/explain.ts";
import { runMonitor } from "./commands/monitor.ts";
import { runRecord } from "./commands/record.ts";
import { runSubflow } from "./commands/subflow.ts";
import { endingOf, OutputError } from "./io/output.ts";
import { enterNetworkNamespace } from "./netns.ts";

const commands: Commands = {
  endpoint: runEndpoint,
  limits: runLimits,
  connections: runConnections,
  subflow: runSubflow,
  announce: runAnnounce,
  withdraw: runWithdraw,
  listen: runListen,
  monitor: runMonitor,
  explain: runExplain,
  adopt: runAdopt,
  record: runRecord,
  // Most of what path managers are made of is of no use to the other commands.
  replay: async (...words) => (await import("./commands/replay.ts")).runReplay(...words),
  report: async (...words) => (await import("./commands/report.ts")).runReport(...words),
};

const output = {
  write: writeOutput,
  columns: outputColumns(),
  drain: () =>
    process.stdout.writableNeedDrain
      ? new Promise<void>((resolve) => process.stdout.once("drain", resolve))
      : undefined,
  warn: (message: string) => complain("mptcpctl", message),
};

// A closed pipe or a full disk shows at the stream, not at the write.
process.stdout.on("error", (error) => end(new OutputError(error)));
process.stderr.on("error", () => {});

try {
  await runProgram(programArguments(), { commands, output, enterNetworkNamespace });
} catch (error) {
  end(error);
}

function end(error: unknown): void {
  const { exitCode, lines } = endingOf(error);
  for (const line of lines) complainAtEnd("mptcpctl", line);
  process.exit(exitCode);
}
