import * as v from "valibot";
import { version } from "../../base/version.ts";
import { defaultConfigFile } from "../../control/config/config.ts";
import type { Overrides } from "../../control/config/load.ts";
import { addressFlags, list, logDestination, nonEmpty, notifyFlagList } from "../../control/config/values.ts";

/** What mptcpd was asked to do. */
export interface Settings {
  readonly overrides: Overrides;
  /** Undefined: the default file, which may be missing. One that is named must exist. */
  readonly configFile: string | undefined;
  readonly runtimeDir: string;
  readonly check: boolean;
  readonly plan: boolean;
  readonly reload: boolean;
  readonly debug: boolean;
}

/** An option of the command line: parsing, --help and --usage follow from it. */
export interface Option {
  readonly long: string;
  readonly short?: string;
  /** The name of its argument, if it has one. */
  readonly argument?: string;
  readonly help: string;
  /** Not among the C program's: gives way to those when an abbreviation fits both. */
  readonly isNew?: true;
  /** The settings with this option, or what is wrong with its argument. */
  readonly apply: (settings: Settings, argument: string) => Settings | { readonly problem: string } | Print;
}

/** Options that print a text in place of running. */
export type Print = "help" | "usage" | "version";

/** In the order of --help. */
export const options: readonly Option[] = [
  {
    long: "addr-flags",
    argument: "FLAGS",
    help: "Flags of endpoints: subflow, signal, backup, fullmesh, laminar; e.g. --addr-flags=subflow,backup",
    apply: override(addressFlags, (value) => ({ addressFlags: value })),
  },
  {
    long: "check",
    help: "Check the configuration and exit",
    isNew: true,
    apply: (settings) => ({ ...settings, check: true }),
  },
  {
    long: "config",
    argument: "FILE",
    help: `Read FILE in place of ${defaultConfigFile}`,
    isNew: true,
    apply: read(nonEmpty, (settings, configFile) => ({ ...settings, configFile })),
  },
  {
    long: "debug",
    short: "d",
    help: "Log debug messages too",
    apply: (settings) => ({ ...settings, debug: true }),
  },
  {
    long: "load-plugins",
    argument: "PLUGINS",
    help: "Load these plugins, e.g. --load-plugins=addr_adv,sspi",
    apply: override(list, (value) => ({ loadPlugins: value })),
  },
  {
    long: "log",
    short: "l",
    argument: "DEST",
    help: "Log to DEST: stderr, syslog, journal or null",
    apply: override(logDestination, (value) => ({ log: value })),
  },
  {
    long: "notify-flags",
    argument: "FLAGS",
    help: "Which addresses are looked at: existing (always on), skip_link_local, skip_loopback, check_route",
    apply: override(notifyFlagList, (value) => ({ notifyFlags: value })),
  },
  {
    long: "path-manager",
    argument: "PLUGIN",
    help: "The path manager that connections belong to, e.g. --path-manager=fullmesh; or several, as a list",
    apply: override(list, (value) => ({ pathManagers: value })),
  },
  {
    long: "plan",
    help: "Print what would change in the kernel, change nothing and exit",
    isNew: true,
    apply: (settings) => ({ ...settings, plan: true }),
  },
  {
    long: "plugin-dir",
    argument: "DIR",
    help: "Look for plugins in DIR",
    apply: override(nonEmpty, (value) => ({ pluginDirectory: value })),
  },
  {
    long: "reload",
    help: "Have the running mptcpd reload its configuration, wait, and exit with 0 if that is in force",
    isNew: true,
    apply: (settings) => ({ ...settings, reload: true }),
  },
  {
    long: "runtime-dir",
    argument: "DIR",
    help: "Keep state in DIR; default: $RUNTIME_DIRECTORY, else /run/mptcpd",
    isNew: true,
    apply: read(nonEmpty, (settings, runtimeDir) => ({ ...settings, runtimeDir })),
  },
  { long: "help", short: "?", help: "Print this help", apply: () => "help" },
  { long: "usage", help: "Print a short usage message", apply: () => "usage" },
  { long: "version", short: "V", help: "Print the version", apply: () => "version" },
];

type Schema<Value> = v.GenericSchema<string, Value>;

/** An option with an argument that the schema reads; the rules are those of mptcpd.conf. */
function read<Value>(
  schema: Schema<Value>,
  set: (settings: Settings, value: Value) => Settings,
): Option["apply"] {
  return (settings, argument) => {
    const result = v.safeParse(schema, argument);
    return result.success ? set(settings, result.output) : { problem: result.issues[0].message };
  };
}

function override<Value>(schema: Schema<Value>, toOverride: (value: Value) => Overrides): Option["apply"] {
  return read(schema, (settings, value) => ({
    ...settings,
    overrides: { ...settings.overrides, ...toOverride(value) },
  }));
}

/** What --help, --usage and --version print, laid out as argp of the GNU C library does. */
export function textFor(print: Print): string {
  return { help, usage, version: () => `mptcpd ${version}\n` }[print]();
}

const width = 79;
const helpColumn = 29;

function help(): string {
  return [
    "Usage: mptcpd [OPTION...]",
    "Start the Multipath TCP daemon: every address of this host becomes an endpoint.",
    "",
    ...options.flatMap(describe),
    "",
    ...wrap("An option wins over the configuration file. A long option may be abbreviated.".split(" "), 0, 0),
    "Exit status: 0 stopped; 1 cannot run here; 64 wrong usage; 70 its own fault.",
    "",
  ].join("\n");
}

function usage(): string {
  const letters = options.filter(({ short, argument }) => short !== undefined && argument === undefined);
  const words = [
    "Usage:",
    "mptcpd",
    `[-${letters.map(({ short }) => short).join("")}]`,
    ...options.flatMap(({ short, argument }) => (short && argument ? [`[-${short} ${argument}]`] : [])),
    ...options.map((option) => `[${long(option)}]`),
  ];
  return `${wrap(words, 0, 12).join("\n")}\n`;
}

function describe(option: Option): string[] {
  const head = `${option.short === undefined ? "      " : `  -${option.short}, `}${long(option)}`;
  const lines = wrap(option.help.split(" "), helpColumn, helpColumn);
  const [first = "", ...rest] = lines;
  return [head.padEnd(helpColumn) + first.trimStart(), ...rest];
}

function long({ long: name, argument }: Option): string {
  return argument === undefined ? `--${name}` : `--${name}=${argument}`;
}

function wrap(words: readonly string[], firstIndent: number, indent: number): string[] {
  const lines: string[] = [];
  let line = " ".repeat(firstIndent);
  for (const word of words) {
    const next = line.trim() === "" ? line + word : `${line} ${word}`;
    if (next.length <= width) {
      line = next;
      continue;
    }
    lines.push(line);
    line = " ".repeat(indent) + word;
  }
  return [...lines, line];
}
