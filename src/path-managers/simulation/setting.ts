import type { SimulatedInterface } from "./network.ts";

export interface SimulationSetting {
  /** The host's interfaces by name: their addresses, or more about them. */
  readonly interfaces?: Readonly<Record<string, readonly string[] | SimulatedInterface>>;
  /** The options of the path manager, as its [plugin NAME] section would have them. */
  readonly options?: Readonly<Record<string, string>>;
  /** The text of an mptcpd.conf, for its [core] and [path] sections. */
  readonly config?: string;
  /** The kernel's path manager that new connections have. */
  readonly pathManager?: "kernel" | "userspace";
}

/** An interface of a setting in its long form. */
export function interfaceOf(given: readonly string[] | SimulatedInterface): SimulatedInterface {
  return isList(given) ? { addresses: given } : given;
}

function isList(given: readonly string[] | SimulatedInterface): given is readonly string[] {
  return Array.isArray(given);
}
