import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "./checkout.ts";
import type { Host } from "./host.ts";
import type { Lab } from "./lab.ts";
import type { LabProcess } from "./process.ts";

export type DaemonOptions = {
  /** The text of mptcpd.conf; empty without it. */
  config?: string;
  /** Further arguments; they follow --config and --runtime-dir. */
  args?: readonly string[];
  env?: Readonly<Record<string, string | undefined>>;
  /** Take over another run's directory, as a restart does. */
  runtimeDirectory?: string;
  /** The command line of the daemon, for one that is not this checkout's. */
  command?: readonly [string, ...string[]];
};

export type Daemon = LabProcess & { readonly configFile: string; readonly runtimeDirectory: string };

/**
 * Starts this checkout's mptcpd in a host, with a configuration file and a runtime directory of its own. It is on its
 * way when this returns: wait for a line of its log or for the kernel's state.
 */
export function startDaemon(lab: Lab, host: Host, options: DaemonOptions = {}): Daemon {
  const configFile = lab.freshPath("mptcpd.conf");
  writeFileSync(configFile, options.config ?? "", { mode: 0o644 });
  const runtimeDirectory = options.runtimeDirectory ?? lab.freshPath("runtime");
  mkdirSync(runtimeDirectory, { recursive: true });
  const [command, ...before] = options.command ?? [join(checkout, "bin/mptcpd")];
  const args = [
    ...before,
    "--config",
    configFile,
    "--runtime-dir",
    runtimeDirectory,
    ...(options.args ?? []),
  ];
  const child = host.spawn(command, args, options.env === undefined ? {} : { env: options.env });
  return Object.assign(child, { configFile, runtimeDirectory });
}
