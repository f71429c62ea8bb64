import type { Connection } from "../../control/connections/connection.ts";

/** Not one that is under way or closed, and not one that the kernel's own path manager has. */
export function takesCommands({ state, pathManager }: Connection): boolean {
  return state === "established" && pathManager !== "kernel";
}
