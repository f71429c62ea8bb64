import { accessSync, constants } from "node:fs";
import { codeOf, messageOf } from "../../../base/errors.ts";
import type { Config } from "../../../control/config/config.ts";
import { loadConfig } from "../../../control/config/load.ts";
import { Ledger } from "../../../control/endpoints/ledger.ts";
import {
  currentNamespace,
  namespaceFile,
  runtimeDirectoryFor,
} from "../../../control/endpoints/namespace.ts";
import {
  type PublishedEndpoints,
  readRefused,
  readWanted,
} from "../../../control/endpoints/published-state.ts";
import type { Refusal } from "../../../control/policy/decision.ts";
import { everyAddress, type Wanted } from "../../../control/policy/input.ts";
import { builtIn } from "../../../path-managers/built-in/index.ts";
import { planPlugins } from "../../../path-managers/runtime/plugin-config.ts";
import { DEFAULT_PATH_MANAGER } from "../../../path-managers/runtime/responsibility.ts";
import { CommandError, type CommandOutput, UsageError } from "./output.ts";

/** Where mptcpd's file and directory are, when they are not where it looks by itself. */
export type PolicyOptions = { readonly config?: string; readonly runtimeDir?: string };

/** The configuration that mptcpd would run by. What it would warn of goes to standard error. Throws ConfigError. */
export function configOf({ config: file }: PolicyOptions, output: CommandOutput): Config {
  refuseEmpty("--config", file);
  const { config, warnings } = loadConfig(file === undefined ? {} : { file, mustExist: true });
  for (const warning of warnings) output.warn(warning);
  return config;
}

/** As mptcpd finds it: systemd may name several directories. */
export function runtimeDirectoryOf({ runtimeDir }: PolicyOptions): string {
  refuseEmpty("--runtime-dir", runtimeDir);
  const { RUNTIME_DIRECTORY: given = "" } = process.env;
  return runtimeDir ?? (given.split(":")[0] || runtimeDirectoryFor(currentNamespace()));
}

/** As a variable of a script that was never set gives it. */
export function refuseEmpty(option: string, value: string | undefined): void {
  if (value === "") throw new UsageError(`${option} is empty: give a path, or leave it out`);
}

/** Which endpoints are wanted by whoever decides about them in a running mptcpd, or would. */
export function wantedOf(options: PolicyOptions, config: Config, output: CommandOutput): Wanted {
  const stated = statedWish(options, output);
  if (stated?.endpoints !== undefined) return { by: stated.by, endpoints: stated.endpoints };
  const others = planPlugins(config, [...builtIn.keys()]).sources.some(
    ({ name }) => name !== DEFAULT_PATH_MANAGER,
  );
  if (stated === undefined && others)
    output.warn(`no mptcpd says what its path managers want: this is what ${DEFAULT_PATH_MANAGER} would do`);
  return everyAddress;
}

function statedWish(options: PolicyOptions, output: CommandOutput): PublishedEndpoints | undefined {
  try {
    return readWanted(runtimeDirectoryOf(options), currentNamespace());
  } catch (error) {
    output.warn(`what path managers want cannot be read: ${messageOf(error)}`);
    return undefined;
  }
}

/** The commands that the kernel refused to a running mptcpd. */
export function refusalsOf(options: PolicyOptions, output: CommandOutput): readonly Refusal[] {
  try {
    return readRefused(runtimeDirectoryOf(options), currentNamespace());
  } catch (error) {
    output.warn(`what the kernel refused to mptcpd cannot be read: ${messageOf(error)}`);
    return [];
  }
}

/**
 * What mptcpd has recorded as its own, to be looked at only. Throws where this user may not: mptcpd's endpoints would
 * pass for somebody else's.
 */
export function ledgerOf(options: PolicyOptions, output: CommandOutput): Ledger {
  const directory = runtimeDirectoryOf(options);
  const namespace = currentNamespace();
  try {
    accessSync(namespaceFile(directory, namespace, "ledger.json"), constants.R_OK);
  } catch (error) {
    if (codeOf(error) === "EACCES")
      throw new CommandError(
        "EACCES",
        `cannot tell which endpoints are mptcpd's: ${directory} may not be read (permission denied)`,
      );
  }
  return new Ledger({ directory, namespace, warn: (message) => output.warn(message), readOnly: true });
}
