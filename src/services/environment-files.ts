/** Reading the files that EnvironmentFile= names; their paths may be globs (systemd.exec(5)). */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { compileGlob } from "../base/glob.ts";
import { parseEnvironmentFile } from "./systemd/environment.ts";

/** The variables of all files that a path stands for. A file that cannot be read has none: the start will tell. */
export function readEnvironmentFiles(path: string): Map<string, string> {
  const variables = new Map<string, string>();
  for (const file of expand(path))
    for (const [name, value] of parseEnvironmentFile(textOf(file))) variables.set(name, value);
  return variables;
}

/** In glob(3)'s order: sorted, directory by directory. */
function expand(path: string): string[] {
  if (!hasGlob(path)) return [path];
  return path
    .split("/")
    .slice(1)
    .reduce<string[]>((found, component) => found.flatMap((directory) => below(directory, component)), [""])
    .map((file) => file || "/");
}

function below(directory: string, component: string): string[] {
  if (!hasGlob(component)) return [`${directory}/${component}`];
  const fits = compileGlob(component);
  if (fits === undefined) return [];
  const names = namesIn(directory || "/").filter(
    (name) => fits(name) && (component.startsWith(".") || !name.startsWith(".")),
  );
  return names.toSorted().map((name) => join(directory || "/", name));
}

function hasGlob(path: string): boolean {
  return /[*?[]/.test(path);
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function textOf(file: string): string {
  try {
    // Reading a FIFO would wait for its writer.
    return statSync(file).isFile() ? readFileSync(file, "utf8") : "";
  } catch {
    return "";
  }
}
