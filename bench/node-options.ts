import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "../src/lab/kit/checkout.ts";

/** The options of node that bin/mptcpd gives, so that what is measured beside the daemon runs as it does. */
export function nodeOptions(): string[] {
  return wordsOf(/^node_options=['"]?(.*?)['"]?$/m);
}

/** The variables that it sets, as NAME=VALUE. */
export function nodeEnvironment(): string[] {
  return wordsOf(/^export (.*)$/m);
}

function wordsOf(line: RegExp): string[] {
  const script = readFileSync(join(checkout, "bin/mptcpd"), "utf8");
  const words = script.match(line)?.[1] ?? "";
  return words.split(" ").filter((word) => word !== "");
}
