import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "../src/lab/kit/checkout.ts";

/** The options of node that bin/mptcpd gives, so that what is measured beside the daemon runs as it does. */
export function nodeOptions(): string[] {
  const script = readFileSync(join(checkout, "bin/mptcpd"), "utf8");
  const options = script.match(/^node_options=['"]?(.*?)['"]?$/m)?.[1] ?? "";
  return options.split(" ").filter((option) => option !== "");
}
