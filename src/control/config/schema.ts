import * as v from "valibot";
import { all, didYouMean } from "../../base/text.ts";
import type { PathRule } from "./config.ts";
import type { Fault, IniSection } from "./ini-file.ts";
import {
  addressFlags,
  integer,
  interfaceGlobs,
  kernelPathManager,
  kindGlobs,
  limits,
  list,
  logDestination,
  nonEmpty,
  notifyFlagList,
  onStop,
  prefixes,
  ruleFlags,
  seconds,
  yesOrNo,
} from "./values.ts";

/** The keys of [core]. The first six are upstream's. */
export const core = v.object({
  log: v.exactOptional(logDestination),
  "plugin-dir": v.exactOptional(nonEmpty),
  "path-manager": v.exactOptional(list),
  "addr-flags": v.exactOptional(addressFlags),
  "notify-flags": v.exactOptional(notifyFlagList),
  "load-plugins": v.exactOptional(list),
  "on-stop": v.exactOptional(onStop),
  limits: v.exactOptional(limits),
  "removal-delay": v.exactOptional(seconds),
  "plugin-faults": v.exactOptional(integer(1, 1000)),
  "kernel-path-manager": v.exactOptional(kernelPathManager),
});

/** The keys of [path NAME]. */
export const path = v.object({
  "match-interface": v.exactOptional(interfaceGlobs),
  "match-kind": v.exactOptional(kindGlobs),
  "match-address": v.exactOptional(prefixes),
  ignore: v.exactOptional(yesOrNo),
  flags: v.exactOptional(ruleFlags),
  priority: v.exactOptional(integer(-32768, 32767)),
  max: v.exactOptional(integer(1, 255)),
  port: v.exactOptional(integer(1, 65535)),
  "bypass-tunnel": v.exactOptional(yesOrNo),
});

/**
 * Reads a section by its schema; gives undefined when a value is faulty. If the schema is of an object, keys that it
 * lacks come apart.
 */
export function readSection<Schema extends v.GenericSchema>(
  schema: Schema,
  section: IniSection,
): { values: v.InferOutput<Schema> | undefined; faults: Fault[]; unknownKeys: Fault[] } {
  const known = keysOf(schema);
  const unknownKeys = section.entries
    .filter(({ key }) => known !== undefined && !known.includes(key))
    .map(({ key, line }) => ({ line, message: unknownKey(key, section, known ?? []) }));
  const result = v.safeParse(
    schema,
    Object.fromEntries(section.entries.map(({ key, value }) => [key, value])),
  );
  if (result.success) return { values: result.output, faults: [], unknownKeys };
  const faults = result.issues.map((issue) => {
    const key = issue.path?.[0]?.key;
    const line = section.entries.find((entry) => entry.key === key)?.line ?? section.line;
    return { line, message: `${key === undefined ? "" : `${String(key)}: `}${issue.message}` };
  });
  return { values: undefined, faults, unknownKeys };
}

/** The keys of an object's schema; undefined for others. */
export function keysOf(schema: v.GenericSchema): string[] | undefined {
  if (!("entries" in schema)) return undefined;
  const { entries } = schema;
  return typeof entries === "object" && entries !== null ? Object.keys(entries) : undefined;
}

/** The rule that a [path NAME] section gives; `source` is "FILE:LINE". */
export function toRule(name: string, source: string, values: v.InferOutput<typeof path>): PathRule {
  return {
    name,
    source,
    matchInterface: values["match-interface"],
    matchKind: values["match-kind"],
    matchAddress: values["match-address"],
    ignore: values.ignore ?? false,
    flags: values.flags,
    priority: values.priority ?? 0,
    max: values.max,
    port: values.port,
    bypassTunnel: values["bypass-tunnel"] ?? false,
  };
}

function unknownKey(key: string, { name }: IniSection, known: readonly string[]): string {
  return `${key} is not a key of [${name}]: known are ${all(known)}${didYouMean(key, known)}`;
}
