/** The path managers that are built in, by name. */
import type { PathManagerDefinition } from "mptcpd";
import addrAdv from "./addr-adv.ts";
import backup from "./backup.ts";
import fullmesh from "./fullmesh.ts";
import heal from "./heal.ts";
import ndiffports from "./ndiffports.ts";
import sspi from "./sspi.ts";

const all: readonly PathManagerDefinition[] = [addrAdv, sspi, fullmesh, ndiffports, heal, backup];

export const builtIn: ReadonlyMap<string, PathManagerDefinition> = new Map(
  all.map((definition) => [definition.name, definition]),
);
