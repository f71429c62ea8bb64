import { programArguments } from "../../base/command-line/argument-bytes.ts";
import { complain, complainAtEnd, outputColumns, writeOutput } from "../../base/command-line/terminal.ts";
import { type Commands, runProgram } from "./command-line.ts";
import { endingOf, OutputError } from "./io/output.ts";
import { enterNetworkNamespace } from "./netns.ts";

// Load only the command that is called: loading all of them would take longer than running one.
const commands: Commands = {
  endpoint: async (...words) => (await import("./commands/endpoint.ts")).runEndpoint(...words),
  limits: async (...words) => (await import("./commands/endpoint.ts")).runLimits(...words),
  connections: async (...words) => (await import("./commands/connections.ts")).runConnections(...words),
  subflow: async (...words) => (await import("./commands/subflow.ts")).runSubflow(...words),
  announce: async (...words) => (await import("./commands/announce.ts")).runAnnounce(...words),
  withdraw: async (...words) => (await import("./commands/announce.ts")).runWithdraw(...words),
  listen: async (...words) => (await import("./commands/announce.ts")).runListen(...words),
  monitor: async (...words) => (await import("./commands/monitor.ts")).runMonitor(...words),
  explain: async (...words) => (await import("./commands/explain.ts")).runExplain(...words),
  adopt: async (...words) => (await import("./commands/adopt.ts")).runAdopt(...words),
  record: async (...words) => (await import("./commands/record.ts")).runRecord(...words),
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

// A closed pipe or a full disk is reported by the stream, not by the write.
process.stdout.on("error", (error) => end(new OutputError(error)));
process.stderr.on("error", () => {});

runProgram(programArguments(), { commands, output, enterNetworkNamespace }).catch(end);

function end(error: unknown): void {
  const { exitCode, lines } = endingOf(error);
  for (const line of lines) complainAtEnd("mptcpctl", line);
  process.exit(exitCode);
}
