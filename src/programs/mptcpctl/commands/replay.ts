/** `mptcpctl replay`: runs a path manager on a recording, and prints what it does. */

import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { systemClock } from "../../../base/clock.ts";
import { codeOf, messageOf } from "../../../base/errors.ts";
import type { Entry } from "../../../base/log/log.ts";
import { all } from "../../../base/text.ts";
import { defaultConfig } from "../../../control/config/config.ts";
import { interfaceName } from "../../../control/network/network.ts";
import { builtIn } from "../../../path-managers/built-in/index.ts";
import { loadDefinition } from "../../../path-managers/runtime/load-path-managers.ts";
import {
  OptionsError,
  type PluginSource,
  readOptions,
} from "../../../path-managers/runtime/plugin-config.ts";
import type { LoadedPathManager } from "../../../path-managers/runtime/running-path-manager.ts";
import {
  type Recording,
  RecordingError,
  readRecording,
} from "../../../path-managers/simulation/recording.ts";
import { Replay } from "../../../path-managers/simulation/replay.ts";
import { type JsonObject, jsonItem } from "../io/ip-format.ts";
import { configOf } from "../io/mptcpd-state.ts";
import { CommandError, type CommandOutput, UsageError } from "../io/output.ts";
import { commandObject, commandText, stamp, wantedObject, wantedText } from "../io/replay-format.ts";

export type ReplayCommandOptions = {
  /** The name of a built-in path manager, or the path of a module. */
  readonly plugin?: string;
  /** KEY=VALUE. */
  readonly option?: readonly string[];
  /** How many times faster than the recording. */
  readonly speed?: string;
  /** For its [core] and [path] sections. */
  readonly config?: string;
  readonly debug?: boolean;
};

export async function runReplay(
  words: readonly string[],
  options: ReplayCommandOptions,
  output: CommandOutput,
): Promise<void> {
  const [file, ...more] = words;
  if (file === undefined || file === "" || more.length > 0) throw new UsageError("replay: give one FILE");
  const speed = speedOf(options);
  const plugin = await load(options);
  const policy = options.config === undefined ? defaultConfig : configOf(options, output);
  const recording = await read(file);
  const say = (text: string, object: JsonObject): void =>
    output.write(
      output.json ? jsonItem({ at: replay.now, ...object }, output.pretty) : `${stamp(replay.now)}${text}\n`,
    );
  const nameOf = (ifIndex: number): string => interfaceName(replay.network, ifIndex);
  const replay = new Replay({
    ...{ recording, plugin, policy },
    onCommand: (command, refused) => {
      const text = commandText(command, nameOf);
      say(refused === undefined ? text : `${text}  # refused: ${refused}`, {
        ...commandObject(command, nameOf),
        refused,
      });
    },
    onWanted: (endpoints) => {
      const words = endpoints.map((endpoint) => wantedText(endpoint, nameOf)).join(", ");
      say(`wants ${words === "" ? "no endpoints" : `endpoints: ${words}`}`, {
        wants: endpoints.map((endpoint) => wantedObject(endpoint, nameOf)),
      });
    },
    onLog: ({ level, message }: Entry) => {
      if (level !== "debug" || options.debug) say(`${level}: ${message}`, { level, message });
    },
    ...(speed !== undefined && { pace: paceOf(speed) }),
  });
  await replay.run();
  if (!recording.isWhole) output.warn(`${file} has no end: the recorder was killed, or is still running`);
  const { name } = plugin.definition;
  const times = replay.faults === 1 ? "once" : `${replay.faults} times`;
  if (replay.faults > 0) throw new CommandError("EFAULTS", `${name} failed ${times}, as its log says`);
}

async function read(file: string): Promise<Recording> {
  try {
    const input = file === "-" ? process.stdin : createReadStream(file);
    const name = file === "-" ? "standard input" : file;
    return await readRecording(createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY }), name);
  } catch (error) {
    if (error instanceof RecordingError) throw error;
    const why = codeOf(error) === "ENOENT" ? "there is no such file" : messageOf(error);
    throw new CommandError(codeOf(error) ?? "EIO", `cannot read ${file}: ${why}`);
  }
}

async function load({ plugin: wanted, option = [] }: ReplayCommandOptions): Promise<LoadedPathManager> {
  if (wanted === undefined) throw new UsageError("replay: --plugin NAME or --plugin PATH is missing");
  const definition = await loadDefinition(sourceOf(wanted), builtIn).catch((error: unknown) => {
    throw new CommandError("EPLUGINS", `cannot load ${wanted}: ${messageOf(error)}`);
  });
  const entries = option.map((text, line) => {
    const [, key, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (key === undefined || value === undefined)
      throw new UsageError(`replay: --option ${text} is not understood; it is KEY=VALUE`);
    return { key, value, line };
  });
  try {
    const section = { file: "--option", line: -1, entries, exec: undefined };
    return { definition, options: readOptions(definition, entries.length > 0 ? section : undefined) };
  } catch (error) {
    if (!(error instanceof OptionsError)) throw error;
    throw new UsageError(`replay: ${error.lines.map((line) => withOption(line, option)).join("; ")}`);
  }
}

/** Rewrites a message about a line of a configuration file as a message about an option. */
function withOption(line: string, options: readonly string[]): string {
  return line.replace(/^--option:(-?\d+): /, (_, index: string) => {
    const option = options[Number(index)];
    return option === undefined ? "" : `--option ${option}: `;
  });
}

function sourceOf(wanted: string): PluginSource {
  if (wanted.includes("/") || /\.(js|mjs|ts)$/.test(wanted))
    return { kind: "file", name: wanted, path: resolve(wanted), required: true };
  if (builtIn.has(wanted)) return { kind: "built-in", name: wanted };
  throw new UsageError(
    `replay: there is no built-in path manager ${wanted}; built in are ${all([...builtIn.keys()])}; name a module by its path`,
  );
}

function speedOf({ speed }: ReplayCommandOptions): number | undefined {
  if (speed === undefined) return undefined;
  const factor = /^\d{1,6}(\.\d{1,6})?$/.test(speed) ? Number(speed) : Number.NaN;
  if (factor > 0) return factor;
  throw new UsageError(`replay: "${speed}" is not a speed; give how many times as fast, such as 1 or 10`);
}

function paceOf(factor: number): (at: number) => Promise<void> {
  const start = systemClock.now();
  return async (at) => {
    const early = start + at / factor - systemClock.now();
    if (early > 0) await delay(early);
  };
}
