/** The path managers that are built in, by name. */
import type { PathManagerDefinition } from "mptcpd";
import type { Network } from "../../control/network/network.ts";
import type { PolicyConfig } from "../../control/policy/judged.ts";
import type { WantedEndpoints } from "../../control/policy/wanted.ts";
import { askForEndpoints } from "../runtime/wishes.ts";
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

/** The endpoints that a network has where nothing else is asked for. */
export function wantedByDefault(network: Network, config: PolicyConfig): WantedEndpoints {
  const endpoints = askForEndpoints({ definition: addrAdv, options: {} }, network, config);
  return { by: addrAdv.name, endpoints };
}
