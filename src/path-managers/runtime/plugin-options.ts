import type { PluginSection } from "../../control/config/config.ts";
import { readSection } from "../../control/config/schema.ts";
import type { PathManagerDefinition } from "./api.ts";

/** Options that a path manager cannot have. */
export class OptionsError extends Error {
  override readonly name = "OptionsError";
  readonly code = "EOPTIONS";
  /** "FILE:LINE: what, and what is allowed". */
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join("\n"));
    this.lines = lines;
  }
}

/** What a [plugin NAME] section says, by the path manager's own schema. Throws OptionsError. */
export function readOptions(
  { name, options }: PathManagerDefinition,
  section: PluginSection | undefined,
): unknown {
  const { entries = [], file = "", line = 0 } = section ?? {};
  const at = (fault: { readonly line: number; readonly message: string }): string =>
    `${file}:${fault.line}: ${fault.message}`;
  if (options === undefined) {
    if (entries.length === 0) return {};
    const lines = entries.map((entry) => at({ line: entry.line, message: `${name} takes no options` }));
    throw new OptionsError(lines);
  }
  const { values, faults, unknownKeys } = readSection(options, { name: `plugin ${name}`, line, entries });
  const all = [...unknownKeys, ...faults];
  if (all.length === 0) return values;
  throw new OptionsError(
    all.map((fault) => (section ? at(fault) : `${fault.message}; it goes into a section [plugin ${name}]`)),
  );
}
