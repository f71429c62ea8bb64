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

/** mptcpd's configuration file and runtime directory, if they are not the defaults. */
export type PolicyOptions = { readonly config?: string; readonly runtimeDir?: string };

/** The configuration that mptcpd would use. mptcpd's warnings about it go to standard error. Throws ConfigError. */
export function configOf({ config: file }: PolicyOptions, output: CommandOutput): Config {
  refuseEmpty("--config", file);
  const { config, warnings } = loadConfig(file === undefined ? {} : { file, mustExist: true });
  for (const warning of warnings) output.warn(warning);
  return config;
}

/** Found in the same way as by mptcpd. systemd may name several directories; the first counts. */
export function runtimeDirectoryOf({ runtimeDir }: PolicyOptions): string {
  refuseEmpty("--runtime-dir", runtimeDir);
  const { RUNTIME_DIRECTORY: given = "" } = process.env;
  return runtimeDir ?? (given.split(":")[0] || runtimeDirectoryFor(currentNamespace()));
}

/** An empty value usually comes from an unset variable in a script. */
export function refuseEmpty(option: string, value: string | undefined): void {
  if (value === "") throw new UsageError(`${option} is empty: give a path, or leave it out`);
}

/** The endpoints that path managers want: as the running mptcpd publishes them, else as one would want them. */
export function wantedOf(options: PolicyOptions, config: Config, output: CommandOutput): Wanted {
  const stated = statedWish(options, output);
  if (stated?.endpoints !== undefined) return { by: stated.by, endpoints: stated.endpoints };
  const others = planPlugins(config, [...builtIn.keys()]).sources.some(
    ({ name }) => name !== DEFAULT_PATH_MANAGER,
  );
  if (stated === undefined && others)
    output.warn(
      `no running mptcpd tells what its path managers want; this is what ${DEFAULT_PATH_MANAGER} would do`,
    );
  return everyAddress;
}

function statedWish(options: PolicyOptions, output: CommandOutput): PublishedEndpoints | undefined {
  try {
    return readWanted(runtimeDirectoryOf(options), currentNamespace());
  } catch (error) {
    output.warn(`cannot read which endpoints path managers want: ${messageOf(error)}`);
    return undefined;
  }
}

/** The commands of a running mptcpd that the kernel refused. */
export function refusalsOf(options: PolicyOptions, output: CommandOutput): readonly Refusal[] {
  try {
    return readRefused(runtimeDirectoryOf(options), currentNamespace());
  } catch (error) {
    output.warn(`cannot read which of mptcpd's commands the kernel refused: ${messageOf(error)}`);
    return [];
  }
}

/**
 * mptcpd's record of its own endpoints, read-only. Throws if this user may not read it: without the record, mptcpd's
 * endpoints would look like somebody else's.
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
        `cannot tell which endpoints belong to mptcpd: no permission to read ${directory}`,
      );
  }
  return new Ledger({ directory, namespace, warn: (message) => output.warn(message), readOnly: true });
}
