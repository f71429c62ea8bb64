/**
 * Hides possible secrets in lines of a log and in mptcpd.conf. The rules rather hide too much than too little, because
 * a report is sent to strangers.
 */

import { type IniEntry, type IniSection, parseIni } from "../../control/config/ini-file.ts";
import { core, keysOf, path } from "../../control/config/schema.ts";
import { canonicalIp } from "../../kernel/netlink/ip.ts";
import type { PathManagerDefinition } from "../../path-managers/runtime/api.ts";

/** Stands in for what is hidden. */
export const hidden = "<hidden>";

/** A value that was hidden in one place is hidden everywhere, because a log may repeat values of the configuration. */
export class Secrets {
  readonly #known = new Set<string>();

  /** Hides a value from here on. Short ones are left out: they would hide parts of any word. */
  hide(value: string): string {
    for (const word of [value, ...value.split(/[\s"'=,]+/)]) if (word.length >= 4) this.#known.add(word);
    return hidden;
  }

  /** A line of free text without what is known to be secret, and what looks as if it were. */
  apply(text: string): string {
    // The longest first: one may be a part of another.
    const known = [...this.#known].toSorted((a, b) => b.length - a.length);
    const rest = known.reduce((before, secret) => before.replaceAll(secret, hidden), text);
    return patterns.reduce((before, [pattern, replacement]) => before.replace(pattern, replacement), rest);
  }
}

/** Whether a key promises a secret as its value: "password", "api-key", "pin_code"; not "ping" or "hotplug". */
function isSecretKey(key: string): boolean {
  return /pass|pwd|secret|key|token|auth|cred|cookie|psk|priv|cert|pin(?!g)|otp(?!l)|puk|user|login|seed|salt/i.test(
    key,
  );
}

/** A value that cannot be much of a secret: numbers, yes and no, addresses and networks, and lists of those. */
function isPlain(value: string): boolean {
  return value.split(",").every((word) => {
    const text = word.trim();
    return plainWord.test(text) || canonicalIp(text.replace(/\/\d{1,3}$/, "")) !== undefined;
  });
}

const plainWord = /^(-?\d{0,8}(\.\d{1,6})?|yes|no|true|false|on|off)$/i;

/** What stands before a secret in free text; \b keeps "monkey" and "spin". Bounded, for long lines. */
const secretWord =
  "[\\w-]{0,40}(?:pass(?:word|wd|phrase|code)?|pwd|secret|(?:api|private|access|preshared|shared|account|signing)[ _-]?key|psk|credentials?)" +
  "|\\b(?:[\\w-]{0,40}[_-])?(?:pin|otp|puk)(?:[_-]?(?:code|\\d))?";
const secretKey = `${secretWord}|\\b(?:[\\w-]{0,40}[_-])?(?:key|auth|pw|sig)`;
/** Behind a key. In a text that is quoted itself there are backslashes. */
const equals = `\\\\?["']?[ \\t]*[=:][ \\t]*`;
const is = `["']?[ \\t]+is[ \\t]+`;
/** "password for the Wi-Fi: x" */
const forWhat = `[ \\t]+(?:for|of|to)(?:[ \\t]+[^\\s=:]+){1,3}${equals}`;
const quoted = `"(?:[^"\\\\]|\\\\.)*"|'[^']*'`;
/** A secret that is not quoted may have blanks. */
const restOfLine = `(?:${quoted})(?!\\w)|\\S.*`;
/** In a sentence: "password hunter2", not "password file". */
const oddWord = `${quoted}|[^\\s"'<>=:]*[\\d!@#$%^&*+~][^\\s"'<>]*`;
/** The token of an MPTCP connection, eight hexadecimal digits, is not a secret; tokens of chat bots begin "123:". */
const connectionToken = `["']?[\\da-f]{1,8}(?!:?[\\w/+=@-])`;

const patterns: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [^-]*-----.*?(-----END [^-]*-----|$)/g, hidden],
  // https://user:password@host
  [/(\b[a-z][a-z\d+.-]*:\/\/)[^\s/]*@/gi, `$1${hidden}@`],
  // With a slash in the password; what follows a colon may also be a port.
  [/(\b[a-z][a-z\d+.-]*:\/\/)[^\s/:@]*:(?!\d+\/)[^\s/@]*\/\S*@/gi, `$1${hidden}@`],
  // The query of an address may hold anything.
  [/(\b[a-z][a-z\d+.-]*:\/\/[^\s?"'<>]*\?)[^\s"'<>]+/gi, `$1${hidden}`],
  [/\b((?:proxy-)?authorization|(?:set-)?cookie)(["']?\s*[:=]).*/gi, `$1$2 ${hidden}`],
  [/\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${hidden}`],
  // "password=x", "api_key": "x", the password is x, password for y: x
  [new RegExp(`(${secretKey})(${equals}|${is})(?:${restOfLine})`, "gi"), `$1$2${hidden}`],
  [new RegExp(`(${secretWord})(${forWhat})(?:${restOfLine})`, "gi"), `$1$2${hidden}`],
  [new RegExp(`(${secretWord})([ \\t]+)(?:${oddWord})`, "gi"), `$1$2${hidden}`],
  // --secret x
  [
    /(--[\w-]*(?:pass(?:word|wd|phrase)?|secret|token|key|auth)[\w-]*)[\s=]+("[^"]*"|'[^']*'|\S+)/gi,
    `$1 ${hidden}`,
  ],
  // "token=x"
  [new RegExp(`(token(?:${equals}|${is}))(?!${connectionToken})(?:${restOfLine})`, "gi"), `$1${hidden}`],
  [new RegExp(`(token[ \\t]+)(?!${connectionToken})(?:${oddWord})`, "gi"), `$1${hidden}`],
  // Ids of AWS keys.
  [/\b(?:AKIA|ASIA)[\dA-Z]{16}\b/g, hidden],
  // Keys in base64 and tokens: long, with letters of both cases and digits; and digests.
  [/(?<![\w/+-])(?=[\w+/-]*[a-z])(?=[\w+/-]*[A-Z])(?=[\w+/-]*\d)[\w+-][\w+/-]{19,}={0,2}/g, hidden],
  [/\b[\da-f]{32,}\b/gi, hidden],
];

export type ShownEntry = { readonly line: number; readonly key: string; readonly value: string };
export type ShownSection = {
  readonly line: number;
  readonly name: string;
  readonly entries: readonly ShownEntry[];
};

/** What is hidden, in words for the reader of a report. */
export const hidingRule =
  'Comments are left out. The report shows the values of keys that mptcpd and its built-in path managers know; of other keys it shows numbers, yes and no, and addresses. Everything else is <hidden>, and so are the arguments of exec and the value of a key like "password" or "token".';

/**
 * What mptcpd.conf says, without what may be a secret.
 *
 * @param builtIn the path managers whose options are known
 * @param secrets learns what is hidden
 */
export function showConfiguration(
  bytes: Uint8Array,
  builtIn: ReadonlyMap<string, PathManagerDefinition>,
  secrets: Secrets,
): { readonly sections: readonly ShownSection[]; readonly unreadableLines: readonly number[] } {
  const { sections, problems } = parseIni(bytes);
  const shown = sections.map(({ name, line, entries }) => ({
    ...{ name, line },
    entries: entries.map((entry) => ({
      ...entry,
      value: shownValue(entry, knownKeys(name, builtIn), secrets),
    })),
  }));
  // Nobody knows what such a line contains, so the log must not show any of it.
  const lines = new TextDecoder().decode(bytes).split("\n");
  for (const { line } of problems) secrets.hide((lines[line - 1] ?? "").trim());
  return { sections: shown, unreadableLines: [...new Set(problems.map(({ line }) => line))] };
}

/** A fault of a configuration without the words that it quotes. */
export function withoutQuotes(fault: string): string {
  return fault.replace(/".*"/g, `"${hidden}"`);
}

export function configurationText(sections: readonly ShownSection[]): string {
  const parts = sections.map(({ name, entries }) =>
    [`[${name}]\n`, ...entries.map(({ key, value }) => `${key}=${value}\n`)].join(""),
  );
  return parts.join("\n");
}

function shownValue({ key, value }: IniEntry, known: readonly string[], secrets: Secrets): string {
  // A comment at the end of the line is part of the value: comments need lines of their own.
  if (known.includes(key)) return value.replace(/(?<=[ \t])#.*$/, (remark) => secrets.hide(remark));
  if (value === "") return value;
  if (key === "exec") {
    const [program = "", ...rest] = value.split(/[ \t]+/);
    if (!/^"?\/[^=]*$/.test(program)) return secrets.hide(value);
    return rest.length === 0 ? program : `${program} ${secrets.hide(rest.join(" "))}`;
  }
  return isPlain(value) && !isSecretKey(key) ? value : secrets.hide(value);
}

function knownKeys(
  name: IniSection["name"],
  builtIn: ReadonlyMap<string, PathManagerDefinition>,
): readonly string[] {
  const [kind = "", plugin = ""] = name.split(" ");
  if (name === "core") return keysOf(core) ?? [];
  if (kind === "path") return keysOf(path) ?? [];
  const options = kind === "plugin" ? builtIn.get(plugin)?.options : undefined;
  return options === undefined ? [] : (keysOf(options) ?? []);
}
