/**
 * The service manager, by systemctl(1): it is wherever systemd is, and speaks to it also before there is a bus. What
 * `systemctl show` writes is from bus_print_property() in systemd's src/shared/bus-print-properties.c.
 */
import { hasCode } from "../../base/errors.ts";
import { parseUnitName } from "./unit-name.ts";
import { readEscape, UnitSyntaxError } from "./unit-syntax.ts";

export type CommandResult = { readonly stdout: string; readonly stderr: string; readonly code: number };

/** Runs a program to its end, without a shell. */
export type RunCommand = (command: string, args: readonly string[]) => Promise<CommandResult>;

/** systemctl has failed. The message is one line, with what it said. */
export class SystemctlError extends Error {
  override readonly name = "SystemctlError";
  readonly code: string = "SYSTEMCTL";
}

export type SystemctlOptions = {
  /** The manager of the user's own session, not the system's. */
  readonly user: boolean;
  readonly run: RunCommand;
};

export class Systemctl {
  readonly #user: boolean;
  readonly #run: RunCommand;

  constructor({ user, run }: SystemctlOptions) {
    this.#user = user;
    this.#run = run;
  }

  /** 252 */
  async version(): Promise<number> {
    const output = await this.#systemctl(["--version"]);
    const version = /^systemd (\d+)/.exec(output)?.[1];
    if (version === undefined) throw new SystemctlError(`systemctl --version says: ${joined(output)}`);
    return Number(version);
  }

  /**
   * Properties of a unit, by name: the values as they are shown, one for each line ("ExecStart" has one for every
   * command). A template has properties only as an instance, so it is shown by one that nobody else has.
   */
  async show(unit: string, properties: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
    const output = await this.#systemctl(["show", `--property=${properties.join(",")}`, "--", shownAs(unit)]);
    const shown = new Map<string, string[]>(properties.map((name) => [name, []]));
    let last: string[] | undefined;
    for (const line of output.split("\n")) {
      const equals = line.indexOf("=");
      const values = shown.get(line.slice(0, Math.max(equals, 0)));
      if (values !== undefined) {
        values.push(line.slice(equals + 1));
        last = values;
      } else if (line !== "" && last !== undefined) {
        // A value with a newline in it.
        last.push(`${last.pop() ?? ""}\n${line}`);
      }
    }
    return shown;
  }

  /** "NAME=VALUE" of every variable that Environment= of the unit sets, specifiers expanded. */
  async shownEnvironment(unit: string): Promise<string[]> {
    const shown = await this.show(unit, ["Environment"]);
    return (shown.get("Environment") ?? []).flatMap(parseShownWords);
  }

  /** What the manager hands to every service. */
  async managerEnvironment(): Promise<Map<string, string>> {
    const output = await this.#systemctl(["show-environment"]);
    const entries = output.split("\n").filter((line) => line.includes("="));
    return new Map(entries.map(shownAssignment));
  }

  async isActive(unit: string): Promise<boolean> {
    const { code } = await this.#call(["is-active", "--quiet", "--", unit]);
    return code === 0;
  }

  async daemonReload(): Promise<void> {
    await this.#systemctl(["daemon-reload"]);
  }

  /** Restarts what runs; patterns as in "foo@*.service". */
  async tryRestart(patterns: readonly string[]): Promise<void> {
    if (patterns.length > 0) await this.#systemctl(["try-restart", "--", ...patterns]);
  }

  async stop(units: readonly string[]): Promise<void> {
    if (units.length > 0) await this.#systemctl(["stop", "--", ...units]);
  }

  async start(units: readonly string[]): Promise<void> {
    if (units.length > 0) await this.#systemctl(["start", "--", ...units]);
  }

  async #systemctl(args: readonly string[]): Promise<string> {
    const { stdout, stderr, code } = await this.#call(args);
    if (code === 0) return stdout;
    const words = args.filter((arg) => arg !== "--" && !arg.startsWith("--property="));
    const said = joined(stderr) || `exit code ${code}`;
    throw new SystemctlError(`systemctl ${words.join(" ")}: ${said}${this.#user ? sessionHint(said) : ""}`);
  }

  async #call(args: readonly string[]): Promise<CommandResult> {
    const options = this.#user ? ["--user", "--no-pager"] : ["--no-pager"];
    try {
      return await this.#run("systemctl", [...options, ...args]);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const missing = hasCode(error, "ENOENT");
      const why = missing ? "there is none in PATH" : joined(error.message);
      throw new SystemctlError(`systemctl cannot be run: ${why}`, { cause: error });
    }
  }
}

function shownAs(unit: string): string {
  const { template, prefix, type } = parseUnitName(unit);
  return template ? `${prefix}@mptcpize.${type}` : unit;
}

/** NAME=VALUE, of which only the value is quoted. */
function shownAssignment(line: string): [string, string] {
  const equals = line.indexOf("=");
  const value = line.slice(equals + 1);
  return [line.slice(0, equals), value === "" ? "" : parseShownWords(value).join(" ")];
}

/** Of "Failed to connect to bus: No medium found" and the like, which do not tell what to do. */
function sessionHint(said: string): string {
  return /connect to .*bus/i.test(said)
    ? "; your service manager runs while you are logged in (or by `loginctl enable-linger`), XDG_RUNTIME_DIR names its directory"
    : "";
}

function joined(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/g, "; ");
}

/**
 * The words of a list that is shown on one line: each bare, in "…", or in $'…', as shell_maybe_quote() of
 * src/basic/escape.c has them.
 */
export function parseShownWords(line: string): string[] {
  const words: string[] = [];
  const pattern = /\s*(?:\$'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)"|([^\s"]\S*))/sy;
  const end = line.trimEnd().length;
  while (pattern.lastIndex < end) {
    const [, posix, quoted, bare] = pattern.exec(line) ?? [];
    const escaped = posix ?? quoted;
    const word = escaped === undefined ? bare : unescaped(escaped);
    if (word === undefined) throw new UnitSyntaxError(`a list of systemctl that cannot be read: ${line}`);
    words.push(word);
  }
  return words;
}

/** Control characters are shown as in C; before "$" and "`" a backslash says that they mean themselves. */
function unescaped(text: string): string {
  const pieces = text.split(/(\\(?:[0-7]{3}|.))/s).map((piece) => {
    if (!piece.startsWith("\\")) return Buffer.from(piece);
    return readEscape(piece, 0)?.bytes ?? Buffer.from(piece.slice(1));
  });
  return Buffer.concat(pieces).toString();
}

/** What `systemctl show` says of a unit. A property that it does not have, or that is empty, is "" or []. */
export class Properties {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }

  text(name: string): string {
    return this.lines(name)[0] ?? "";
  }

  /** One for each time that the property is shown: "ExecStart" for every command. */
  lines(name: string): string[] {
    return (this.#values.get(name) ?? []).filter((line) => line !== "");
  }

  words(name: string): string[] {
    return parseShownWords(this.text(name));
  }

  yes(name: string): boolean {
    return this.text(name) === "yes";
  }
}

/** The paths of EnvironmentFile=, specifiers expanded. */
export function environmentFilesOf(unit: Properties): string[] {
  return unit.lines("EnvironmentFiles").map((line) => line.replace(/ \(ignore_errors=(?:yes|no)\)$/, ""));
}
