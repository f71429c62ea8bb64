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

export const reportHelp = `The file can be read by its owner alone; read it before you give it away. It has the kernel, sysctls, endpoints,
limits, counters, connections, links, addresses, routes and rules of this network namespace, and of mptcpd its
processes, unit, log, configuration and state. What cannot be read is left out, and the report says why: run it as
root for all of it.

It has no environment variables, no arguments of programs and no payload.
--addresses=mask, the default, puts names for public and for hardware addresses, the same name for the same
address; mask-all does so for private and link-local addresses, too; keep leaves all as they are.
Configuration: comments are left out; values of keys that mptcpd does not know, arguments of exec and whatever has a
key like "password" or "token" are hidden, and so they are in the log.`;

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
