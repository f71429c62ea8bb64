import module from "node:module";
import { pathToFileURL } from "node:url";

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
