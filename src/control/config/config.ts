import type { LogDestination } from "../../base/log/log.ts";
import { type EndpointFlag, endpointFlags } from "../../kernel/mptcp-pm.ts";
import { type Bits, bitNames, type NameOf } from "../../kernel/netlink/bits.ts";

/** Upstream's names and bit values (`--notify-flags`). `existing` is always on here. */
export const notifyFlags = bitNames({ existing: 0, skip_link_local: 1, skip_loopback: 2, check_route: 3 });
export type NotifyFlag = NameOf<typeof notifyFlags>;

/** What the daemon runs by: defaults, then mptcpd.conf, then the command line. */
export interface Config {
  readonly log: LogDestination;
  readonly pluginDirectory: string;
  /** Plugins that connections belong to; none: to the first by priority. */
  readonly pathManagers: readonly string[];
  /** Names of plugins, in their order; undefined = all that the directory holds. */
  readonly loadPlugins: readonly string[] | undefined;
  /** The [plugin NAME] sections, by name. */
  readonly plugins: ReadonlyMap<string, PluginSection>;
  /** A plugin is stopped after so many faults. */
  readonly pluginFaults: number;
  /** What net.mptcp.path_manager is set to: `auto`, what the plugins need; `keep`, nothing. */
  readonly kernelPathManager: "auto" | "kernel" | "userspace" | "keep";
  /** The flags of an endpoint whose rule names none. */
  readonly addressFlags: Bits<EndpointFlag>;
  readonly notifyFlags: Bits<NotifyFlag>;
  /** What becomes of our endpoints when the daemon stops. */
  readonly onStop: "keep" | "remove";
  /** Whether the kernel's limits are raised to what the endpoints need. */
  readonly limits: "raise" | "keep";
  /** Milliseconds that an endpoint outlives its address or link; 0 = deleted at once. */
  readonly removalDelay: number;
  /** In file order; the first rule that matches decides, alone. */
  readonly paths: readonly PathRule[];
  /** Where names of plugins were given, for messages: "FILE:LINE: path-manager" or "--path-manager". */
  readonly origins: Origins;
}

export type Origins = { readonly [Key in "pathManagers" | "loadPlugins"]?: string };

/** A [path NAME] section. Every match-… that is given must match; a rule without any matches everything. */
export interface PathRule {
  readonly name: string;
  /** "FILE:LINE" of its header, or "built in". */
  readonly source: string;
  /** Globs over the interface's name and alternative names. */
  readonly matchInterface: readonly string[] | undefined;
  /** Globs over the link kind (IFLA_INFO_KIND); an interface without one is "physical". */
  readonly matchKind: readonly string[] | undefined;
  readonly matchAddress: readonly Prefix[] | undefined;
  /** Addresses that match get no endpoint. */
  readonly ignore: boolean;
  /** Stands in for `addressFlags`. */
  readonly flags: Bits<EndpointFlag> | undefined;
  /** -32768 to 32767; lower ranks first when there are more addresses than slots. */
  readonly priority: number;
  /** At most so many endpoints on one interface. */
  readonly max: number | undefined;
  /** The port that is announced with the address (flag `signal`). */
  readonly port: number | undefined;
  /** Endpoints although the host's traffic leaves by a tunnel that they would bypass. */
  readonly bypassTunnel: boolean;
}

/** A network: "10.0.0.0/8" is { family: 4, address: "10.0.0.0", length: 8 }; the address is canonical (RFC 5952). */
export interface Prefix {
  readonly family: 4 | 6;
  readonly address: string;
  readonly length: number;
}

/** A [plugin NAME] section: its keys mean what the plugin says. */
export interface PluginSection {
  readonly file: string;
  /** Of its header. */
  readonly line: number;
  readonly entries: readonly { readonly key: string; readonly value: string; readonly line: number }[];
  /** The program that is the plugin, with its arguments; undefined: a module. */
  readonly exec: readonly [string, ...string[]] | undefined;
}

export const defaultConfigFile = "/etc/mptcpd/mptcpd.conf";

/** The same name on all architectures, because its files do not depend on the machine. */
export const defaultPluginDirectory = "/usr/lib/mptcpd/plugins";

/**
 * Names that programs give to interfaces of containers and virtual machines, in force when the file has no [path]
 * section. They matter only where the kernel's facts do not tell (src/control/policy/guest-interfaces.ts).
 */
export const containerRule: PathRule = {
  name: "containers",
  source: "built in",
  matchInterface: [
    ...[
      "docker*",
      "br-*",
      "virbr*",
      "veth*",
      "cni*",
      "cali*",
      "podman*",
      "lxc*",
      "lxdbr*",
      "incusbr*",
      "ve-*",
    ],
    ...["vboxnet*", "vmnet*", "flannel*", "cilium*", "*.cali", "tunl0"],
  ],
  matchKind: undefined,
  matchAddress: undefined,
  ignore: true,
  flags: undefined,
  priority: 0,
  max: undefined,
  port: undefined,
  bypassTunnel: false,
};

/** Copies of the rule have its source: a configuration goes to threads. */
export function isBuiltIn(rule: PathRule): boolean {
  return rule.source === containerRule.source;
}

export const defaultConfig: Config = {
  log: "stderr",
  pluginDirectory: defaultPluginDirectory,
  pathManagers: [],
  loadPlugins: undefined,
  plugins: new Map(),
  pluginFaults: 10,
  kernelPathManager: "auto",
  addressFlags: endpointFlags.of("subflow"),
  notifyFlags: notifyFlags.of("existing"),
  onStop: "keep",
  limits: "raise",
  removalDelay: 2000,
  paths: [containerRule],
  origins: {},
};

/** The configuration is refused. Each line is one fault, "FILE:LINE: what, and what is allowed". */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code = "ECONFIG";
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join("\n"));
    this.lines = lines;
  }
}
