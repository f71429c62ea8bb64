import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "../../src/lab/kit/checkout.ts";

export const optionClasses = ["HINT", "HINT_EXCEPT_1_255", "OPTIONAL", "SEMANTIC"] as const;
export type OptionClass = (typeof optionClasses)[number];

/** A line of native/options/table.def. */
export type OptionRow = { level: number; name: string; number: number; class: OptionClass; reason: string };

const levels: Readonly<Record<string, number>> = {
  LEVEL_IP: 0,
  LEVEL_SOCKET: 1,
  LEVEL_TCP: 6,
  LEVEL_IPV6: 41,
};

/** The socket options that MPTCP refuses, in the order of the file. */
export function optionTable(): OptionRow[] {
  const source = readFileSync(join(checkout, "native/options/table.def"), "utf8");
  const lines = source.split("\n").filter((line) => line.startsWith("OPTION("));
  return lines.map((line) => {
    const [, level = "", name = "", number = "", word = "", reason = ""] =
      /^OPTION\((\w+), "(\w+)", (\d+), (\w+), "([^"]+)"\)$/.exec(line) ?? [];
    const found = { level: levels[level], class: optionClasses.find((one) => one === word) };
    if (found.level === undefined || found.class === undefined) throw new Error(`cannot read: ${line}`);
    return { level: found.level, name, number: Number(number), class: found.class, reason };
  });
}
