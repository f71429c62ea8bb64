import { oneLine } from "../../base/text.ts";
import { type NamespaceIdentity, runtimeDirectoryFor } from "../../control/endpoints/namespace.ts";
import { type Option, options, type Settings, textFor } from "./options.ts";

/** The action: run, print a text on stdout (exit 0), or print a text on stderr (exit 64, EX_USAGE). */
export type Command =
  | ({ readonly kind: "run" } & Settings)
  | { readonly kind: "print"; readonly text: string }
  | { readonly kind: "usageError"; readonly text: string };

/**
 * Reads the command line (without the program's name) as getopt_long(3) and argp do: users of the C program and their
 * scripts know these rules and words. That is: abbreviations, `--opt=VALUE`, `--opt VALUE`, `-lVALUE`, `-dl VALUE`,
 * `--`. The last of repeated options wins; the first option that prints or is wrong decides.
 */
export function parseArguments(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Command {
  let settings: Settings = {
    overrides: {},
    configFile: undefined,
    runtimeDir: defaultRuntimeDir(environment),
    check: false,
    plan: false,
    reload: false,
    debug: false,
  };
  try {
    for (const { option, name, argument } of readOptions(argv)) {
      const result = option.apply(settings, argument);
      if (typeof result === "string") return { kind: "print", text: textFor(result) };
      if ("problem" in result) throw new UsageError(`${name}: ${result.problem}`);
      settings = result;
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const tryHelp = "Try `mptcpd --help' or `mptcpd --usage' for more information.";
    return { kind: "usageError", text: `mptcpd: ${oneLine(error.message)}\n${tryHelp}\n` };
  }
  return { kind: "run", ...settings };
}

class UsageError extends Error {
  readonly code = "EUSAGE";
}

interface Use {
  readonly option: Option;
  /** As it was written: "-l", "--log". */
  readonly name: string;
  /** "" for an option without one. */
  readonly argument: string;
}

/** Yields the options in their order. Operands are reported last, because getopt moves them to the end. */
function* readOptions(argv: readonly string[]): Generator<Use> {
  const words = argv[Symbol.iterator]();
  let operands = 0;
  for (const word of words) {
    if (word === "--") operands += [...words].length;
    else if (word.startsWith("--")) yield readLong(word, words);
    else if (word.startsWith("-") && word !== "-") yield* readCluster(word, words);
    else operands += 1;
  }
  if (operands > 0) throw new UsageError("Too many arguments");
}

function readLong(word: string, words: Iterator<string>): Use {
  const [, given = "", value] = /^--([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
  const option = findLong(given, word);
  const name = `--${option.long}`;
  if (option.argument === undefined) {
    if (value !== undefined) throw new UsageError(`option '${name}' doesn't allow an argument`);
    return { option, name, argument: "" };
  }
  const argument = value ?? following(words);
  if (argument === undefined) throw new UsageError(`option '${name}' requires an argument`);
  return { option, name, argument };
}

/** `-dlstderr`: letters until one takes the rest, or else the next word, as its argument. */
function* readCluster(word: string, words: Iterator<string>): Generator<Use> {
  for (let index = 1; index < word.length; index += 1) {
    const letter = word.charAt(index);
    const option = options.find(({ short }) => short === letter);
    if (option === undefined) throw new UsageError(`invalid option -- '${letter}'`);
    const name = `-${letter}`;
    if (option.argument === undefined) {
      yield { option, name, argument: "" };
      continue;
    }
    const rest = word.slice(index + 1);
    const argument = rest === "" ? following(words) : rest;
    if (argument === undefined) throw new UsageError(`option requires an argument -- '${letter}'`);
    yield { option, name, argument };
    return;
  }
}

/** The option of that name, or the only option that begins with it; the C program's options win over new options. */
function findLong(given: string, word: string): Option {
  const candidates = options.filter(({ long }) => long.startsWith(given));
  const exact = candidates.find(({ long }) => long === given);
  if (exact !== undefined) return exact;
  const upstream = candidates.filter(({ isNew }) => isNew === undefined);
  const [only, ...others] = upstream.length > 0 ? upstream : candidates;
  if (only === undefined) throw new UsageError(`unrecognized option '${word}'`);
  if (others.length === 0) return only;
  const names = candidates.map(({ long }) => `'--${long}'`).join(" ");
  throw new UsageError(`option '${word}' is ambiguous; possibilities: ${names}`);
}

function following(words: Iterator<string>): string | undefined {
  const next = words.next();
  return next.done ? undefined : next.value;
}

/** systemd sets RUNTIME_DIRECTORY to the directories that RuntimeDirectory= names, joined by colons. */
function defaultRuntimeDir({
  RUNTIME_DIRECTORY: directories = "",
}: Readonly<Record<string, string | undefined>>) {
  return directories.split(":")[0] || USUAL;
}

/** The runtime directory that was asked for, by option or by systemd, or else that of the mptcpd of this namespace. */
export function runtimeDirectoryOf(
  { runtimeDir }: Pick<Settings, "runtimeDir">,
  namespace: NamespaceIdentity,
  { RUNTIME_DIRECTORY: given }: Readonly<Record<string, string | undefined>> = process.env,
): string {
  return runtimeDir === USUAL && !given ? runtimeDirectoryFor(namespace) : runtimeDir;
}

const USUAL = "/run/mptcpd";
