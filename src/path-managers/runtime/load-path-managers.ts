import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Script } from "node:vm";
import { transform } from "sucrase";
import { type Clock, keepRunning } from "../../base/clock.ts";
import { late, runningClock, within } from "../../base/deadlines.ts";
import { messageOf } from "../../base/errors.ts";
import { oneLine } from "../../base/text.ts";
import type { Config } from "../../control/config/config.ts";
import { isPathManager, type PathManagerDefinition } from "./api.ts";
import { describeError, guarded, PATH_MANAGER_MARK } from "./describe-error.ts";
import { execPathManager } from "./exec.ts";
import * as hooks from "./module-hooks.ts";
import {
  OptionsError,
  type PluginSource,
  readOptions,
  unknownPathManager,
  unusedSections,
} from "./plugin-config.ts";
import type { LoadedPathManager } from "./running-path-manager.ts";
import { LOAD_DEADLINE } from "./thread-input.ts";
import { requireTrusted } from "./trusted.ts";

export interface LoadRequest {
  readonly sources: readonly PluginSource[];
  readonly settings: Pick<Config, "pathManagers" | "plugins" | "pluginDirectory" | "origins">;
  /** Names that could be loaded, for messages. */
  readonly known: readonly string[];
  readonly builtIn: ReadonlyMap<string, PathManagerDefinition>;
  /** Names of path managers that are there, but are not loaded any more. */
  readonly stopped: readonly string[];
  /** Told before each source is loaded, by its place from 1, and 0 when all are. */
  readonly onLoading: (place: number) => void;
}

export interface LoadResult {
  readonly pathManagers: readonly LoadedPathManager[];
  /** Why mptcpd cannot run by its configuration, a line each. */
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** Loads path managers into this thread, and reads their options. */
export async function loadPathManagers(request: LoadRequest): Promise<LoadResult> {
  const { sources, settings, known, stopped, onLoading } = request;
  const pathManagers: LoadedPathManager[] = [];
  const errors: string[] = [];
  const warnings: string[] = [];
  for (const [index, source] of sources.entries()) {
    onLoading(index + 1);
    try {
      const definition = await loadDefinition(source, request.builtIn);
      const { name } = definition;
      if (pathManagers.some((other) => other.definition.name === name))
        throw new Error(`another plugin has the name ${name} already`);
      const section = settings.plugins.get(name);
      const file = source.kind === "file" ? source.path : undefined;
      pathManagers.push({ definition, options: readOptions(definition, section), file });
    } catch (error) {
      const lines = error instanceof OptionsError ? error.lines : [`plugin ${source.name}: ${line(error)}`];
      const isRequired = source.kind !== "file" || source.required || error instanceof OptionsError;
      if (isRequired) errors.push(...lines);
      else warnings.push(...lines.map((line) => `${line}; it is not loaded`));
    }
  }
  onLoading(0);
  const names = [...pathManagers.map(({ definition }) => definition.name), ...stopped];
  for (const name of settings.pathManagers) {
    const isThere = names.includes(name) || sources.some((source) => source.name === name);
    if (!isThere) errors.push(unknownPathManager(name, settings, known));
  }
  warnings.push(...unusedSections(settings.plugins, names, known));
  return { pathManagers, errors, warnings };
}

/** Loads one path manager into this thread. */
export async function loadDefinition(
  source: PluginSource,
  builtIn: ReadonlyMap<string, PathManagerDefinition>,
  clock: Clock = runningClock,
): Promise<PathManagerDefinition> {
  if (source.kind === "exec") return execPathManager(source.name, source.command);
  if (source.kind === "built-in") {
    const definition = builtIn.get(source.name);
    if (definition === undefined) throw new Error("is not built in");
    return definition;
  }
  hookModules();
  const exports = await importModule(source.path, clock);
  const definition =
    typeof exports === "object" && exports !== null && "default" in exports && exports.default;
  if (!isPathManager(definition))
    throw new Error(
      `${source.path} has no path manager as its default export: export default definePathManager({ … })`,
    );
  if (!/^[A-Za-z0-9_.-]+$/.test(definition.name))
    throw new Error(
      `${source.path}: a name has letters, digits and _ . - only, not ${JSON.stringify(definition.name)}`,
    );
  return definition;
}

async function importModule(path: string, clock: Clock): Promise<unknown> {
  try {
    const module: Promise<unknown> = import(`${pathToFileURL(path).href}${PATH_MANAGER_MARK}`);
    const exports = await keepRunning(within(clock, LOAD_DEADLINE, module));
    if (exports !== late) {
      // What the file has put off for a moment happens now, while it is known whose it is: timers come in order.
      await setTimeout();
      return exports;
    }
    const seconds = LOAD_DEADLINE / 1000;
    throw new Error(`${path} was not loaded in ${seconds} s: an await at its top level does not end`);
  } catch (error) {
    if (typeof error === "object" && error !== null) reported.add(error);
    throw new Error(guarded(() => describeLoadError(path, error), `${path}: ${describeError(error)}`));
  }
}

let hooked = false;

/** Modules that are imported from now on come by our hooks. */
function hookModules(): void {
  if (hooked) return;
  hooked = true;
  hooks.registerHooks(
    hooks,
    hookFiles.find((file) => existsSync(file)) ?? join(import.meta.dirname, "module-hooks.js"),
  );
  lookAtWhatIsRequired();
}

/** What CommonJS loads, Node 20 does not show to the hooks. These are Node's loaders by extension, `.node` included. */
function lookAtWhatIsRequired(): void {
  const { extensions } = createRequire(import.meta.url);
  for (const [extension, load] of Object.entries(extensions))
    if (load !== undefined)
      extensions[extension] = (module, path) => {
        if (!hooks.isOwnFile(path)) requireTrusted(path);
        load(module, path);
      };
}

/** Beside this file, or one up (bundled programs, which share their parts); else where the tests' build has it. */
const hookFiles = ["plugin-hooks.js", "../plugin-hooks.js"].map((file) => join(import.meta.dirname, file));

/** What a load has failed with; Node 20 rejects promises of its own with that as well. */
const reported = new WeakSet<object>();

export function isReported(error: unknown): boolean {
  return typeof error === "object" && error !== null && reported.has(error);
}

function line(error: unknown): string {
  return oneLine(messageOf(error));
}

/**
 * What to say of a module that cannot be loaded: "FILE:LINE: what", as far as the place can be found, which Node does
 * not always tell.
 */
function describeLoadError(path: string, error: unknown): string {
  const text = oneLine(messageOf(error)).trim();
  // Node and our own hooks name files where these are the matter.
  if (!(error instanceof Error) || text.includes(dirname(path))) return text;
  const isSyntax = error.name === "SyntaxError";
  const place = linkingPlace(error) ?? (isSyntax ? syntaxErrorIn(path) : throwingPlace(error)) ?? path;
  return `${place}: ${text}`;
}

/** Of an import that does not fit, Node puts the line before the stack. */
function linkingPlace({ stack = "" }: Error): string | undefined {
  const [, url = "", line] = /^(file:\/\/[^\n]*?)(?:\?[^\n]*)?:(\d+)\n/.exec(stack) ?? [];
  return line === undefined ? undefined : `${fileURLToPath(url)}:${line}`;
}

function throwingPlace({ stack = "" }: Error): string | undefined {
  const [, url = "", line] = /^ +at .*?(file:\/\/[^\n?]*?)(?:\?[^\n:]*)?:(\d+):\d+\)?$/m.exec(stack) ?? [];
  return line === undefined ? undefined : `${fileURLToPath(url)}:${line}`;
}

/** V8 does not say where a module's syntax is wrong: looks at it, and at what it imports from beside it. */
function syntaxErrorIn(path: string, seen = new Set<string>()): string | undefined {
  if (seen.has(path)) return undefined;
  seen.add(path);
  let code: string;
  try {
    code = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  const line = syntaxErrorLine(code, path);
  if (line !== undefined) return `${path}:${line}`;
  for (const [, specifier = ""] of code.matchAll(/(?:from|import)\s*\(?\s*["'](\.{1,2}\/[^"']+)["']/g)) {
    const place = syntaxErrorIn(join(dirname(path), specifier), seen);
    if (place !== undefined) return place;
  }
  return undefined;
}

/** As a script, which V8 does tell the line of; the transformation keeps lines. */
function syntaxErrorLine(code: string, path: string): number | undefined {
  try {
    const transforms = ["imports", "typescript"] as const;
    const script = transform(code, { transforms: [...transforms], disableESTransforms: true }).code;
    new Script(`async () => {${script}\n}`, { filename: path });
    return undefined;
  } catch (error) {
    if (!(error instanceof Error)) return undefined;
    const [, line] = /\((\d+):\d+\)$/.exec(error.message) ?? /^[^\n]*:(\d+)\n/.exec(error.stack ?? "") ?? [];
    return line === undefined ? undefined : Number(line);
  }
}
