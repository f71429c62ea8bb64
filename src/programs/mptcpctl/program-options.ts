/** Options that single commands have. */
import type { Command } from "commander";
import { defaultConfigFile } from "../../control/config/config.ts";

export function createOptions(command: Command): Command {
  return command
    .option("--deadline <seconds>", "how long the peer may take to answer; 10 if not given")
    .option("--no-wait", "do not wait for the peer");
}

export function replayOptions(command: Command): Command {
  return command
    .option("--plugin <name|path>", "a path manager that is built in, or a module's file")
    .option("--option <key=value>", "an option of the path manager; may be given several times", collect)
    .option("--speed <n>", "n times as fast as it was; as fast as it goes if not given")
    .option("--config <file>", "mptcpd's configuration, for its [core] and [path] sections")
    .option("--debug", "print what the path manager logs for debugging, too");
}

export function reportOptions(command: Command): Command {
  return command
    .option("-o, --output <file>", "where to; - is standard output; mptcpd-report-HOST-DATE.txt if not given")
    .option("-f, --force", "replace the file if it is there")
    .option("--addresses <how>", "mask, mask-all or keep; mask if not given")
    .option("--log-lines <n>", "how many lines of mptcpd's log; 200 if not given");
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

export function policyOptions(command: Command): Command {
  return command
    .option("--config <file>", `mptcpd's configuration, if not ${defaultConfigFile}`)
    .option(
      "--runtime-dir <directory>",
      "mptcpd's runtime directory, if not $RUNTIME_DIRECTORY or /run/mptcpd",
    );
}
