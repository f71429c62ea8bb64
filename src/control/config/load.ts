import * as v from "valibot";
import { nearest, quote } from "../../base/text.ts";
import { checkRules, type WrittenRule } from "./check-rules.ts";
import {
  type Config,
  ConfigError,
  containerRule,
  defaultConfig,
  defaultConfigFile,
  notifyFlags,
  type Origins,
  type PluginSection,
} from "./config.ts";
import { type Fault, type IniSection, parseIni, readConfigFile } from "./ini-file.ts";
import { core, path, readSection, toRule } from "./schema.ts";
import { commandLine } from "./values.ts";

/** What the command line sets; it wins over the file. */
export type Overrides = Partial<
  Pick<Config, "log" | "pluginDirectory" | "pathManagers" | "loadPlugins" | "addressFlags" | "notifyFlags">
>;

export interface LoadedConfig {
  readonly config: Config;
  /** What it was read from; undefined: there was no such file. */
  readonly file: string | undefined;
  /** "FILE:LINE: what": accepted, but not as the author may think. */
  readonly warnings: readonly string[];
  /** What is worth saying once and asks for no change. */
  readonly notices: readonly string[];
}

/**
 * Reads the file and lays the overrides over it. Without `file` it is /etc/mptcpd/mptcpd.conf, and without that
 * the defaults hold; `mustExist` makes a missing file an error, as for one that was named on the command line.
 *
 * @throws {ConfigError} with every fault of the file, one a line.
 */
export function loadConfig(
  options: { readonly file?: string; readonly mustExist?: boolean; readonly overrides?: Overrides } = {},
): LoadedConfig {
  const { file = defaultConfigFile, mustExist = false, overrides = {} } = options;
  const bytes = readConfigFile(file);
  if (bytes === undefined && mustExist) throw new ConfigError([`${file}: there is no such file`]);
  const parsed = parseConfig(bytes ?? new Uint8Array(), { file, overrides });
  return bytes === undefined ? { ...parsed, file: undefined } : parsed;
}

/** The same for a file's contents; `file` is its name in messages. */
export function parseConfig(
  bytes: Uint8Array,
  { file, overrides = {} }: { readonly file: string; readonly overrides?: Overrides },
): LoadedConfig {
  const { sections, problems } = parseIni(bytes);
  const reader = new ConfigReader(file);
  reader.errors.push(...problems);
  for (const section of sections) reader.read(section);
  const config = {
    ...reader.config(),
    ...overrides,
    origins: { ...reader.origins, ...originsOf(overrides) },
  };
  reader.checkRules(config);
  if (reader.errors.length > 0) throw new ConfigError(toLines(file, reader.errors));
  return {
    config: { ...config, notifyFlags: config.notifyFlags.with("existing") },
    file,
    warnings: toLines(file, reader.warnings),
    notices: noticesFor(config),
  };
}

const kinds = ["core", "path", "plugin"];
const someErrors = 100;

class ConfigReader {
  readonly errors: Fault[] = [];
  readonly warnings: Fault[] = [];
  readonly #file: string;
  readonly #rules: WrittenRule[] = [];
  readonly #plugins = new Map<string, PluginSection>();
  #settings: Partial<Config> = {};
  origins: Origins = {};

  constructor(file: string) {
    this.#file = file;
  }

  config(): Config {
    const paths = this.#rules.length > 0 ? this.#rules.map(({ rule }) => rule) : [containerRule];
    return { ...defaultConfig, ...this.#settings, paths, plugins: this.#plugins };
  }

  read(section: IniSection): void {
    const [kind = "", name, ...rest] = section.name.split(" ");
    const named = name !== undefined && rest.length === 0 && /^[A-Za-z0-9_.-]+$/.test(name);
    if (section.name === "core") this.#readCore(section);
    else if (kind === "path" && named) this.#readPath(name, section);
    else if (kind === "plugin" && named) this.#readPlugin(name, section);
    else this.#unknownSection(kind, section);
  }

  /** Checks what rules say against what else is in force; needs the whole file and the command line. */
  checkRules({ addressFlags }: Config): void {
    const { errors, warnings } = checkRules(this.#rules, addressFlags);
    this.errors.push(...errors);
    this.warnings.push(...warnings);
  }

  #readCore(section: IniSection): void {
    const { values, faults, unknownKeys } = readSection(core, section);
    this.errors.push(...faults);
    // A warning only: upstream ignores such keys, and a file that ran there shall run here.
    this.warnings.push(
      ...unknownKeys.map(({ line, message }) => ({ line, message: `${message}; it is ignored` })),
    );
    if (values === undefined) return;
    const originOf = (key: string): string | undefined => {
      const entry = section.entries.find((one) => one.key === key);
      return entry && `${this.#file}:${entry.line}: ${key}`;
    };
    const [pathManagers, loadPlugins] = [originOf("path-manager"), originOf("load-plugins")];
    this.origins = {
      ...(pathManagers !== undefined && { pathManagers }),
      ...(loadPlugins !== undefined && { loadPlugins }),
    };
    this.#settings = {
      ...(values.log !== undefined && { log: values.log }),
      ...(values["plugin-dir"] !== undefined && { pluginDirectory: values["plugin-dir"] }),
      ...(values["path-manager"] !== undefined && { pathManagers: values["path-manager"] }),
      ...(values["load-plugins"] !== undefined && { loadPlugins: values["load-plugins"] }),
      ...(values["addr-flags"] !== undefined && { addressFlags: values["addr-flags"] }),
      ...(values["notify-flags"] !== undefined && { notifyFlags: values["notify-flags"] }),
      ...(values["on-stop"] !== undefined && { onStop: values["on-stop"] }),
      ...(values.limits !== undefined && { limits: values.limits }),
      ...(values["removal-delay"] !== undefined && { removalDelay: values["removal-delay"] }),
      ...(values["plugin-faults"] !== undefined && { pluginFaults: values["plugin-faults"] }),
      ...(values["kernel-path-manager"] !== undefined && {
        kernelPathManager: values["kernel-path-manager"],
      }),
    };
  }

  #readPath(name: string, section: IniSection): void {
    const { values, faults, unknownKeys } = readSection(path, section);
    this.errors.push(...unknownKeys, ...faults);
    if (values !== undefined) {
      this.#rules.push({ rule: toRule(name, `${this.#file}:${section.line}`, values), section });
    }
  }

  /** Its keys are the plugin's to judge, but for the one that says what the plugin is. */
  #readPlugin(name: string, { line, entries }: IniSection): void {
    const given = entries.find(({ key }) => key === "exec");
    const exec = given && v.safeParse(commandLine, given.value);
    for (const { message } of exec?.issues ?? [])
      this.#fail({ line: given?.line ?? line }, `exec: ${message}`);
    this.#plugins.set(name, {
      file: this.#file,
      line,
      entries: entries.filter((entry) => entry !== given),
      exec: exec?.success ? exec.output : undefined,
    });
  }

  /** Ignores unknown sections, as upstream does; but a misspelt section of ours is an error. */
  #unknownSection(kind: string, section: IniSection): void {
    const allowed =
      "known are [core], [path NAME] and [plugin NAME], a NAME being of letters, digits and _ . -";
    const shown = quote(`[${section.name}]`);
    const ours = nearest(kind, kinds) ?? kinds.find((word) => kind.toLowerCase().startsWith(word));
    if (ours === undefined) this.#warn(section, `${shown} is an unknown section and is ignored: ${allowed}`);
    else this.#fail(section, `${shown} is not a section: ${allowed}`);
  }

  #fail({ line }: { readonly line: number }, message: string): void {
    this.errors.push({ line, message });
  }

  #warn({ line }: { readonly line: number }, message: string): void {
    this.warnings.push({ line, message });
  }
}

function originsOf({ pathManagers, loadPlugins }: Overrides): Origins {
  return {
    ...(pathManagers !== undefined && { pathManagers: "--path-manager" }),
    ...(loadPlugins !== undefined && { loadPlugins: "--load-plugins" }),
  };
}

function toLines(file: string, faults: readonly Fault[]): string[] {
  const sorted = faults.toSorted((left, right) => left.line - right.line);
  const lines = sorted.slice(0, someErrors).map(({ line, message }) => `${file}:${line}: ${message}`);
  if (sorted.length > someErrors) lines.push(`${file}: and ${sorted.length - someErrors} more like these`);
  return lines;
}

function noticesFor({ notifyFlags: given }: Config): string[] {
  // Upstream leaves such addresses alone then, and the author of the list may expect the same.
  if (given.equals(notifyFlags.of()) || given.has("existing")) return [];
  return ["notify-flags: `existing` is always on: addresses that exist at start become endpoints too"];
}
