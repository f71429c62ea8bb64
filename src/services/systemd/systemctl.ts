/**
 * Talks to the service manager through systemctl(1), which every host with systemd has, and which works before there is
 * a bus. bus_print_property() in systemd's src/shared/bus-print-properties.c writes the output of `systemctl show`.
 */
import { hasCode } from "../../base/errors.ts";
import { parseUnitName } from "./unit-name.ts";
import { readEscape, UnitSyntaxError } from "./unit-syntax.ts";

export type CommandResult = { readonly stdout: string; readonly stderr: string; readonly code: number };

/** Runs a program to its end, without a shell. */
export type RunCommand = (command: string, args: readonly string[]) => Promise<CommandResult>;

/** systemctl failed. The message is one line and contains systemctl's own message. */
export class SystemctlError extends Error {
  override readonly name = "SystemctlError";
  readonly code: string = "SYSTEMCTL";
}

export type SystemctlOptions = {
  /** Use the manager of the user's own session, not the system's. */
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

  /** Such as 252. */
  async version(): Promise<number> {
    const output = await this.#systemctl(["--version"]);
    const version = /^systemd (\d+)/.exec(output)?.[1];
    if (version === undefined)
      throw new SystemctlError(`cannot read the version of systemd from: ${joined(output)}`);
    return Number(version);
  }

  /**
   * Properties of a unit, by name, each with one value per shown line ("ExecStart" has a line for every command). Only
   * instances of a template have properties, so for a template this shows an instance that nobody else uses.
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
        // The value contains a newline.
        last.push(`${last.pop() ?? ""}\n${line}`);
      }
    }
    return shown;
  }

  /** "NAME=VALUE" of every variable that Environment= of the unit sets, with specifiers expanded. */
  async shownEnvironment(unit: string): Promise<string[]> {
    const shown = await this.show(unit, ["Environment"]);
    return (shown.get("Environment") ?? []).flatMap(parseShownWords);
  }

  /** The variables that the manager gives to every service. */
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

  /** Restarts the units that run. Patterns such as "foo@*.service" are allowed. */
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
      const why = missing ? "it is not in PATH" : joined(error.message);
      throw new SystemctlError(`cannot run systemctl: ${why}`, { cause: error });
    }
  }
}

function shownAs(unit: string): string {
  const { template, prefix, type } = parseUnitName(unit);
  return template ? `${prefix}@mptcpize.${type}` : unit;
}

/** NAME=VALUE, where only the value is quoted. */
function shownAssignment(line: string): [string, string] {
  const equals = line.indexOf("=");
  const value = line.slice(equals + 1);
  return [line.slice(0, equals), value === "" ? "" : parseShownWords(value).join(" ")];
}

/** Advice for errors such as "Failed to connect to bus: No medium found", which do not tell what to do. */
function sessionHint(said: string): string {
  return /connect to .*bus/i.test(said)
    ? "; your service manager runs while you are logged in (or after `loginctl enable-linger`), and XDG_RUNTIME_DIR must name its directory"
    : "";
}

function joined(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/g, "; ");
}

/**
 * The words of a list that is shown on one line. Each is bare, in "…", or in $'…', as shell_maybe_quote() of
 * src/basic/escape.c writes it.
 */
export function parseShownWords(line: string): string[] {
  const words: string[] = [];
  const pattern = /\s*(?:\$'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)"|([^\s"]\S*))/sy;
  const end = line.trimEnd().length;
  while (pattern.lastIndex < end) {
    const [, posix, quoted, bare] = pattern.exec(line) ?? [];
    const escaped = posix ?? quoted;
    const word = escaped === undefined ? bare : unescaped(escaped);
    if (word === undefined) throw new UnitSyntaxError(`cannot read a list that systemctl shows: ${line}`);
    words.push(word);
  }
  return words;
}

/** Control characters are written as in C. A backslash before "$" and "`" means the character itself. */
function unescaped(text: string): string {
  const pieces = text.split(/(\\(?:[0-7]{3}|.))/s).map((piece) => {
    if (!piece.startsWith("\\")) return Buffer.from(piece);
    return readEscape(piece, 0)?.bytes ?? Buffer.from(piece.slice(1));
  });
  return Buffer.concat(pieces).toString();
}

/** The output of `systemctl show` for a unit. A missing or empty property is "" or []. */
export class Properties {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }

  text(name: string): string {
    return this.lines(name)[0] ?? "";
  }

  /** One for each line of the property: "ExecStart" has a line for every command. */
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

/** The paths of EnvironmentFile=, with specifiers expanded. */
export function environmentFilesOf(unit: Properties): string[] {
  return unit.lines("EnvironmentFiles").map((line) => line.replace(/ \(ignore_errors=(?:yes|no)\)$/, ""));
}
