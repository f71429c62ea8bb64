/** Gathers all that the plan for a service is made from. Reads only. */
import { accessSync, constants, readFileSync } from "node:fs";
import { join } from "node:path";
import { isOwnEnvironmentFile, readDropIn } from "./drop-in.ts";
import {
  type Environment,
  type EnvironmentSources,
  effectiveEnvironment,
  writtenSources,
} from "./environment.ts";
import type { Identity, Inspection, Launcher } from "./launcher.ts";
import { Refusal } from "./refusal.ts";
import { sandboxProperties } from "./sandbox.ts";
import { environmentFiles, readEnvironmentFiles } from "./systemd/environment-settings.ts";
import { execLines, parseExecLine } from "./systemd/exec-line.ts";
import { environmentFilesOf, Properties, type Systemctl } from "./systemd/systemctl.ts";
import { splitWords } from "./systemd/unit-syntax.ts";
import { acceptingSocket, type LoadedUnit, readUnitFiles, type Unit, type UnitFiles } from "./unit.ts";
import { isUpstreamSetting } from "./upstream.ts";
import { type How, type VariableName, variables } from "./ways.ts";

export type ServiceFacts = {
  readonly unit: Unit;
  /** Without what mptcpize wrote. */
  readonly files: UnitFiles;
  /** What the service gets, and from where. */
  readonly environment: Environment;
  readonly environmentSources: EnvironmentSources;
  readonly properties: Properties;
  /** The values of ExecStart=, as the unit has them. */
  readonly execStart: readonly string[];
  /** One for each command of them; none is looked at for the BPF way, which reaches every program. */
  readonly programs: readonly Program[];
  /** Whether all commands start with root's rights. */
  readonly asRoot: boolean;
  readonly systemdVersion: number;
  /** The socket unit for which systemd starts an instance of it for each connection. */
  readonly accepting: string | undefined;
};

/** A program, where it was found, and what the launcher says of it. */
export type Program = { readonly path: string; readonly inspection: Inspection };

export type FactSources = {
  readonly systemctl: Systemctl;
  readonly launcher: Pick<Launcher, "path" | "inspect">;
  /** Ids of an account; undefined for the one that asks. */
  identityOf(user: string, group: string): Promise<Identity | undefined>;
  /** Whether it is the user's own manager that is asked. */
  readonly user: boolean;
};

/** @param repaired as if what the C mptcpize wrote had been taken out of the unit file */
export async function gatherServiceFacts(
  unit: LoadedUnit,
  { how, repaired }: { readonly how: How; readonly repaired: boolean },
  sources: FactSources,
): Promise<ServiceFacts> {
  const { systemctl, launcher } = sources;
  const found = readUnitFiles(unit.fragment, unit.dropIns);
  const files = repaired ? withoutUpstream(found) : found;
  const properties = new Properties(await systemctl.show(unit.name, serviceProperties));
  const environmentSources = writtenSources(files.assignments, {
    manager: await systemctl.managerEnvironment(),
    passed: passedEnvironment(properties, sources),
    files: valuesOfFiles(unit, files, properties),
  });
  const environment = effectiveEnvironment(environmentSources);
  const execStart = execLines(files.assignments, "ExecStart");
  if (execStart.length === 0)
    throw new Refusal(`${unit.name} has no ExecStart=: there is nothing to convert`);
  const replaced = unit.dropIns.some((path) => readDropIn(path)?.way === "seccomp");
  const commands = how === "bpf" ? [] : commandsOf(unit.name, execStart, properties, replaced);
  const identity = await sources.identityOf(properties.text("User"), properties.text("Group"));
  const common = {
    unit: unit.name,
    how,
    variables: ownValues(environment),
    searchPath: environment.get("PATH")?.value ?? defaultSearchPath,
  };
  const programs: Program[] = [];
  for (const { path, args, privileged } of commands) {
    const program = join(properties.text("RootDirectory"), path);
    const asUser = identity !== undefined && !privileged;
    const inspection = await launcher.inspect({ ...common, program, args, ...(asUser && { identity }) });
    programs.push({ path, inspection });
  }
  const byUnit = identity === undefined || identity.uid === 0;
  const asRoot = !sources.user && (byUnit || commands.every(({ privileged }) => privileged));
  const systemdVersion = await systemctl.version();
  const accepting = await acceptingSocket(unit.name, systemctl);
  const facts = { unit, files, environment, environmentSources, properties, execStart, programs };
  return { ...facts, asRoot, systemdVersion, accepting };
}

function withoutUpstream(files: UnitFiles): UnitFiles {
  const kept = files.assignments.filter((setting) => !isUpstreamSetting(setting, files.fragment));
  return { ...files, assignments: kept };
}

const serviceProperties = [
  ...sandboxProperties,
  "Type",
  "PIDFile",
  "TriggeredBy",
  "User",
  "Group",
  "EnvironmentFiles",
  "PassEnvironment",
  "ExecStart",
  "ExecStartEx",
  "ExecSearchPath",
  "LimitNPROC",
  "NoNewPrivileges",
  "TasksMax",
];

/** By their paths as the unit has them. systemctl shows them with specifiers expanded, in the same order. */
function valuesOfFiles(unit: Unit, files: UnitFiles, properties: Properties) {
  const written = environmentFiles(files.assignments).map(({ path }) => path);
  const shown = environmentFilesOf(properties).filter((path) => !isOwnEnvironmentFile(path));
  return new Map(
    written.map((path, index) => {
      const expanded = unit.template && path.includes("%") ? path.replaceAll(/%./g, "*") : shown[index];
      return [path, readEnvironmentFiles(expanded ?? path)];
    }),
  );
}

/** The variables of the manager's own process that PassEnvironment= names; a user's manager passes all that it has. */
function passedEnvironment(properties: Properties, { user }: FactSources): Map<string, string> {
  const names = user ? [] : variables.filter((name) => properties.words("PassEnvironment").includes(name));
  const passed = new Map<string, string>();
  if (names.length === 0) return passed;
  const ofManager = readFileSync("/proc/1/environ", "utf8").split("\0");
  for (const name of names) {
    const entry = ofManager.find((variable) => variable.startsWith(`${name}=`));
    if (entry !== undefined) passed.set(name, entry.slice(name.length + 1));
  }
  return passed;
}

/** Of the variables that are to be merged with. */
function ownValues(environment: Environment): Map<VariableName, string> {
  const values = new Map<VariableName, string>();
  for (const name of variables) {
    const variable = environment.get(name);
    if (variable !== undefined) values.set(name, variable.value);
  }
  return values;
}

/** A program that an ExecStart= line starts. */
export type Command = {
  /** Absolute. */
  readonly path: string;
  /** As far as they are needed to tell what `env -i` and its like start: their quotes may be lost. */
  readonly args: readonly string[];
  /** By "+" or "!": it starts as root whatever User= says. "!!" does nothing since Linux 4.3 (systemd.service(5)). */
  readonly privileged: boolean;
};

/**
 * The programs that the ExecStart= lines of a unit start.
 *
 * @param execStart the lines as the unit has them
 * @param replaced whether systemd shows others in their place, that a drop-in of ours has
 */
export function commandsOf(
  unit: string,
  execStart: readonly string[],
  properties: Properties,
  replaced: boolean,
): Command[] {
  const commands = replaced
    ? execStart.map((line) => writtenCommand(unit, line))
    : shownLines(properties).map(shownCommand);
  return commands.map((command) => ({ ...command, path: find(unit, command.path, properties) }));
}

/** ExecStartEx, with the prefixes as flags, came with systemd 243. */
function shownLines(properties: Properties): string[] {
  const lines = properties.lines("ExecStartEx");
  return lines.length > 0 ? lines : properties.lines("ExecStart");
}

/** systemctl shows paths with their specifiers expanded. */
function shownCommand(line: string): Command {
  const [, path = "", argv = ""] = /^\{ path=(.*?) ; argv\[\]=(.*?)(?: ; \w+=|$)/s.exec(line) ?? [];
  const flags = / ; flags=(.*?) ; start_time=/.exec(line)?.[1] ?? "";
  const privileged = flags.split(" ").some((flag) => privilegedFlags.has(flag));
  return { path, args: argv.split(" ").slice(1), privileged };
}

const privilegedFlags = new Set(["privileged", "no-setuid"]);

function writtenCommand(unit: string, line: string): Command {
  const { path, prefixes, rest } = parseExecLine(line);
  if (path.includes("%"))
    throw new Refusal(
      `${unit}: while it is enabled, systemd does not tell what ${path} stands for: disable it first`,
    );
  const args = splitWords(rest, "keep").map(({ text }) => text);
  return { path, args, privileged: /\+|(?<!!)!(?!!)/.test(prefixes) };
}

/** Relative paths are looked up in ExecSearchPath=, or in what was compiled into systemd (systemd.service(5)). */
function find(unit: string, path: string, properties: Properties): string {
  if (path.startsWith("/")) return path;
  const directories = (properties.text("ExecSearchPath") || defaultSearchPath).split(":");
  const found = directories.map((directory) => join(directory, path)).find(isExecutable);
  if (found === undefined)
    throw new Refusal(`${unit}: ExecStart=${path}: not found in ${directories.join(":")}`);
  return found;
}

const defaultSearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
