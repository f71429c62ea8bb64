import { type Subflow, tokenText } from "../../control/connections/connection.ts";
import { placeText } from "./connection-format.ts";
import type { JsonObject } from "./json.ts";

/** Begins with the words that `subflow destroy` and `subflow change` take. */
export function subflowLine(token: number, subflow: Subflow, device: string | undefined): string {
  const { local, remote, localId, state, localBackup } = subflow;
  const words = [
    `token ${tokenText(token)}`,
    // The kernel chooses a port when it connects, and tells it when it is connected.
    local.port === 0 ? local.address : placeText(local),
    `to ${placeText(remote)}`,
    `id ${localId}`,
    ...(device === undefined ? [] : [`dev ${device}`]),
    ...(localBackup ? ["backup"] : []),
    state,
  ];
  return `${words.join(" ")}\n`;
}

/** The names of `connections -j`. */
export function subflowObject(token: number, subflow: Subflow, device: string | undefined): JsonObject {
  const { local, remote, localId, remoteId, initial, ifIndex, state, localBackup, remoteBackup } = subflow;
  return {
    token: tokenText(token),
    ...{ local, remote, localId, remoteId, initial, interface: device, ifIndex, state },
    ...{ localBackup, remoteBackup },
  };
}
