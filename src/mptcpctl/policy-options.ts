import type { Config } from "../config/config.ts";
import { loadConfig } from "../config/load.ts";
import { Ledger } from "../endpoints/ledger.ts";
import { currentNamespace } from "../endpoints/namespace.ts";
import type { Context } from "./context.ts";

/** Where mptcpd's file and directory are, when they are not where it looks by itself. */
export type PolicyOptions = { readonly config?: string; readonly runtimeDir?: string };

/** The configuration that mptcpd would run by. What it would warn of goes to standard error. Throws ConfigError. */
export function configOf({ config: file }: PolicyOptions, context: Context): Config {
  const { config, warnings } = loadConfig(file === undefined ? {} : { file, mustExist: true });
  for (const warning of warnings) context.warn(warning);
  return config;
}

/** As mptcpd finds it: systemd may name several directories. */
export function runtimeDirectoryOf({ runtimeDir }: PolicyOptions): string {
  const { RUNTIME_DIRECTORY: given = "" } = process.env;
  return runtimeDir ?? (given.split(":")[0] || "/run/mptcpd");
}

/** What mptcpd has recorded as its own, to be looked at only. */
export function ledgerOf(options: PolicyOptions, context: Context): Ledger {
  return new Ledger({
    directory: runtimeDirectoryOf(options),
    namespace: currentNamespace(),
    warn: (message) => context.warn(message),
    readOnly: true,
  });
}
