import * as v from "valibot";
import { compileGlob } from "../../base/glob.ts";
import { logDestinations } from "../../base/log/log.ts";
import { didYouMean, either, quote } from "../../base/text.ts";
import { endpointFlags } from "../../kernel/mptcp-pm.ts";
import type { BitNames, Bits } from "../../kernel/netlink/bits.ts";
import { whyNoAddress, whyNoInterface, whyNoKind } from "./check-rules.ts";
import { defaultConfig, notifyFlags, type Prefix } from "./config.ts";
import { parsePrefix } from "./match.ts";

// The kinds of value that mptcpd.conf and the command line share: schemas from the text to what it means. Their
// messages say what is wrong with the text and what is allowed.

export const logDestination = v.picklist(logDestinations, (issue) =>
  unknownWord(issue.input, logDestinations),
);
export const onStop = oneOf(["keep", "remove"]);
export const kernelPathManager = oneOf(["auto", "kernel", "userspace", "keep"]);
export const limits = oneOf(["raise", "keep"]);
export const yesOrNo = v.pipe(
  oneOf(["yes", "no"]),
  v.transform((word) => word === "yes"),
);

/** A text that must say something: `path-manager=`, `plugin-dir=`. */
export const nonEmpty = v.pipe(v.string(), v.minLength(1, "is empty: give a value, or leave it out"));

/** "a, b": blanks around commas are dropped, one trailing comma is accepted. */
export const list = v.pipe(
  nonEmpty,
  v.transform((text) =>
    text
      .replace(/,[ \t]*$/, "")
      .split(",")
      .map((item) => item.trim()),
  ),
  v.check((items) => !items.includes(""), "has an empty item: separate items by one comma"),
);

/** Globs over any text. */
export const globs = globsThatMatch(() => undefined);
/** `match-interface`: globs, each of which may match some interface's name. */
export const interfaceGlobs = globsThatMatch(whyNoInterface);
/** `match-kind`: the same for kinds. */
export const kindGlobs = globsThatMatch(whyNoKind);

export const prefixes = v.pipe(
  list,
  v.rawTransform<string[], readonly Prefix[]>(({ dataset, addIssue, NEVER }) => {
    const good: Prefix[] = [];
    for (const text of dataset.value) {
      const result = parsePrefix(text);
      const problem = "problem" in result ? result.problem : whyNoAddress(text, result);
      if (problem !== undefined) addIssue({ message: problem });
      else if (!("problem" in result)) good.push(result);
    }
    return good.length === dataset.value.length ? good : NEVER;
  }),
);

// The kernel sets `implicit` itself and refuses it from others (net/mptcp/pm_kernel.c).
export const settableFlags = endpointFlags.names.filter((name) => name !== "implicit");

/** Flags of endpoints. The kernel refuses every endpoint that has both signal and fullmesh. */
const endpointFlagList = v.pipe(
  bitsOf(endpointFlags, settableFlags),
  v.check(
    (flags) => !(flags.has("signal") && flags.has("fullmesh")),
    "has both signal and fullmesh: the kernel takes one of them",
  ),
);

/** `flags` of a rule: at least one. */
export const ruleFlags = v.pipe(nonEmpty, endpointFlagList);

/** `addr-flags`; the empty list stands for the default. */
export const addressFlags = v.pipe(
  v.string(),
  v.transform((text) => (text.trim() === "" ? defaultConfig.addressFlags.toString() : text)),
  endpointFlagList,
);

/** `notify-flags`; may be empty. */
export const notifyFlagList = bitsOf(notifyFlags, notifyFlags.names);

/** A program, by its whole path, and its arguments; parted by blanks, without quotes and without a shell. */
export const commandLine = v.pipe(
  v.string(),
  v.rawTransform<string, [string, ...string[]]>(({ dataset, addIssue, NEVER }) => {
    const [program, ...rest] = dataset.value.trim().split(/[ \t]+/);
    if (program?.startsWith("/")) return [program, ...rest];
    addIssue({
      message: `${quote(dataset.value)} does not begin with the whole path of a program, such as /usr/libexec/my-manager`,
    });
    return NEVER;
  }),
);

const secondsRange = "allowed are 0 to 86400, fractions such as 0.5 too";

/** Seconds with an optional fraction, as milliseconds. */
export const seconds = v.pipe(
  v.string(),
  v.regex(
    /^\d{1,5}(\.\d{1,9})?$/,
    (issue) => `${quote(issue.input)} is not a number of seconds: ${secondsRange}`,
  ),
  v.transform((text) => Math.round(Number(text) * 1000)),
  v.maxValue(86_400_000, `is more than a day: ${secondsRange}`),
);

export function integer(least: number, most: number) {
  const wrong = (issue: { input: string }) =>
    `${quote(issue.input)} is not a whole number from ${least} to ${most}`;
  return v.pipe(
    v.string(),
    v.check((text) => /^-?\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most, wrong),
    v.transform(Number),
  );
}

function globsThatMatch(whyNot: (glob: string) => string | undefined) {
  return v.pipe(
    list,
    v.rawTransform<string[], string[]>(({ dataset, addIssue, NEVER }) => {
      const problems = dataset.value.flatMap((glob) => {
        if (compileGlob(glob) === undefined)
          return `${quote(glob)} is not a glob: allowed are *, ? and [...]`;
        return whyNot(glob) ?? [];
      });
      for (const message of problems) addIssue({ message });
      return problems.length === 0 ? dataset.value : NEVER;
    }),
  );
}

function oneOf<const Words extends readonly string[]>(words: Words) {
  return v.picklist(words, (issue) => unknownWord(issue.input, words));
}

function bitsOf<Name extends string>(declaration: BitNames<Name>, allowed: readonly Name[]) {
  return v.pipe(
    v.string(),
    v.rawTransform<string, Bits<Name>>(({ dataset, addIssue, NEVER }) => {
      if (dataset.value.trim() === "") return declaration.of();
      const words = v.safeParse(list, dataset.value);
      if (!words.success) {
        for (const issue of words.issues) addIssue({ message: issue.message });
        return NEVER;
      }
      const known = allowed.filter((name) => words.output.includes(name));
      const names: readonly string[] = allowed;
      const unknown = words.output.filter((word) => !names.includes(word));
      for (const word of unknown) addIssue({ message: unknownWord(word, allowed) });
      return unknown.length === 0 ? declaration.of(...known) : NEVER;
    }),
  );
}

function unknownWord(word: unknown, words: readonly string[]): string {
  if (word === "") return `is empty: allowed are ${either(words)}`;
  return `${quote(String(word))} is unknown: allowed are ${either(words)}${didYouMean(String(word), words)}`;
}
