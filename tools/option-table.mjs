// Writes src/kernel/option-table.ts from native/options/table.def:
//   node tools/option-table.mjs
// A unit test compares the two.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const root = dirname(import.meta.dirname);
const levels = { LEVEL_IP: 0, LEVEL_SOCKET: 1, LEVEL_TCP: 6, LEVEL_IPV6: 41 };

const source = readFileSync(join(root, "native/options/table.def"), "utf8");
const rows = Array.from(
  source.matchAll(/^OPTION\((\w+), "(\w+)", (\d+), (\w+), /gm),
  ([, level, name, number, optionClass]) => `  [${levels[level]}, ${number}, "${name}", "${optionClass}"],\n`,
);
const beforeConnection = Array.from(
  source.matchAll(/^BEFORE_CONNECTION\((\w+), (\d+)/gm),
  ([, level, number]) => `  [${levels[level]}, ${number}],\n`,
);
writeFileSync(
  join(root, "src/kernel/option-table.ts"),
  `/** The socket options that MPTCP refuses: native/options/table.def, from which tools/option-table.mjs makes this. */

export type OptionClass = "HINT" | "HINT_EXCEPT_1_255" | "OPTIONAL" | "SEMANTIC";

/** Level, number, name and class of each. */
export const optionTable: readonly (readonly [number, number, string, OptionClass])[] = [
${rows.join("")}];

/** Level and number of those that have no effect once there is a connection. */
export const beforeConnection: readonly (readonly [number, number])[] = [
${beforeConnection.join("")}];
`,
);
