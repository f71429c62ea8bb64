import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** The directory of the checkout: where package.json and tools/ are, above this file or above the current directory. */
export const checkout = find(import.meta.dirname) ?? find(process.cwd()) ?? process.cwd();

function find(directory: string): string | undefined {
  if (existsSync(join(directory, "tools/sandbox.mjs"))) return directory;
  const parent = dirname(directory);
  return parent === directory ? undefined : find(parent);
}
