import { complain, complainAtEnd, writeError, writeOutput } from "../../base/command-line/terminal.ts";
import { runAttach } from "./attach.ts";
import { runProgram } from "./command-line.ts";
import { runDisable, runEnable } from "./enable.ts";
import { endingOf } from "./output.ts";
import { runStatus } from "./status.ts";

const commands = { enable: runEnable, disable: runDisable, status: runStatus, attach: runAttach };

const output = {
  write: writeOutput,
  writeError,
  warn: (message: string) => complain("mptcpize", message),
};

// A closed pipe or a full disk is reported by the stream, not by the write.
process.stdout.on("error", end);
process.stderr.on("error", () => {});

runProgram(process.argv.slice(2), commands, output).then((exitCode) => {
  process.exitCode = exitCode;
}, end);

function end(error: unknown): void {
  const { exitCode, line } = endingOf(error);
  if (line !== undefined) complainAtEnd("mptcpize", line);
  process.exit(exitCode);
}
