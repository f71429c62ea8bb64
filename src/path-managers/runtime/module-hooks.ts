/**
 * How modules of path managers are found and read (Node's module customization hooks): "mptcpd" is this very program's
 * library wherever the module lies, code is read only from files that can be trusted, and TypeScript is stripped of its
 * types. Node 22.15 and newer run this in the path managers' thread, older ones in a thread of its own.
 */
import { existsSync } from "node:fs";
import module from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { transform } from "sucrase";
import { messageOf } from "../../base/errors.ts";
import { PATH_MANAGER_MARK } from "./describe-error.ts";
import { readTrusted } from "./trusted.ts";

type Resolved = { readonly url: string; readonly shortCircuit?: boolean };
type Loaded = { readonly format: string; readonly source: string | Buffer; readonly shortCircuit?: boolean };

/** What path managers can import without having it installed, by the file that it is in. */
const provided: Readonly<Record<string, string>> = {
  mptcpd: "index.js",
  "mptcpd/testing": "testing.js",
  "mptcpd/netlink": "netlink.js",
  "mptcpd/kernel": "kernel.js",
  valibot: "valibot.js",
};

/** Where the library may be, and all of our code then is: in the bundled programs, and in the tests' build. */
const places = [
  { library: ".", own: ".." },
  { library: "lib", own: "." },
  { library: "../api", own: "../.." },
].map(({ library, own }) => ({
  library: join(import.meta.dirname, library),
  own: join(import.meta.dirname, own),
}));

const place = places.find(({ library }) => existsSync(join(library, "valibot.js")));
const libraryDirectory = place?.library;
/** Our own code, and what it is built from, needs no second look. */
const ownDirectory = place?.own ?? import.meta.dirname;

export function resolve<T>(
  specifier: string,
  context: unknown,
  next: (specifier: string, context: unknown) => T,
): T | Resolved {
  const file = Object.hasOwn(provided, specifier) ? provided[specifier] : undefined;
  if (file === undefined || libraryDirectory === undefined || isOurs(context))
    return next(specifier, context);
  return { url: pathToFileURL(join(libraryDirectory, file)).href, shortCircuit: true };
}

export const load = loaderBy(readTrusted);

/** A `load` hook for code that is read in a way of its own. */
export function loaderBy(read: (path: string) => Buffer) {
  return <T>(url: string, context: unknown, next: (url: string, context: unknown) => T): T | Loaded => {
    if (!url.startsWith("file:")) return next(url, context);
    const path = fileURLToPath(url);
    if (isOwnFile(path)) return next(url, context);
    const code = read(path);
    if (/\.m?ts$/.test(path))
      return { format: "module", source: strip(code.toString(), path), shortCircuit: true };
    // A path manager's own file is a module; of what it imports, Node finds out the kind.
    return url.endsWith(PATH_MANAGER_MARK)
      ? { format: "module", source: code, shortCircuit: true }
      : next(url, context);
  };
}

/** Whether a file is of this very program. */
export function isOwnFile(path: string): boolean {
  return path.startsWith(`${ownDirectory}/`);
}

/** Whether it is our own code that imports something: what is provided to path managers may be made of it. */
function isOurs(context: unknown): boolean {
  if (typeof context !== "object" || context === null || !("parentURL" in context)) return false;
  return String(context.parentURL).startsWith(`${pathToFileURL(ownDirectory).href}/`);
}

/** Lines stay where they are, so that errors name the right ones. */
function strip(code: string, path: string): string {
  try {
    return transform(code, { transforms: ["typescript"], disableESTransforms: true }).code;
  } catch (error) {
    // "Error transforming sample.ts: Unexpected token (5:15)"
    const [, what, place] =
      /^(?:Error transforming [^:]*: )?(.*) \((\d+:\d+)\)$/.exec(messageOf(error)) ?? [];
    throw place === undefined ? error : new SyntaxError(`${path}:${place}: ${what}`);
  }
}

/**
 * Modules that are imported from now on come by hooks. Node 22.15 has them in this thread.
 *
 * @param file from which an older Node loads the same hooks into a thread of its own
 */
export function registerHooks(hooks: object, file: string): void {
  if (hasSyncHooks(module)) module.registerHooks(hooks);
  else module.register(pathToFileURL(file));
}

type SyncHooks = { registerHooks(hooks: object): unknown };

/** Newer than the types that this is written with. */
function hasSyncHooks(of: object): of is SyncHooks {
  return "registerHooks" in of && typeof of.registerHooks === "function";
}
