/**
 * What `ip mptcp` prints, byte for byte, blank at the end of the line included (iproute2, ip/ipmptcp.c): a line for
 * people and an object for programs. Names that iproute2 6.1 does not know yet are those of iproute2 7.1.
 */
import type { Endpoint, Limits } from "../../kernel/mptcp-pm.ts";
import type { JsonObject } from "./json.ts";

export function endpointLine(endpoint: Endpoint, device: string | undefined): string {
  const { address, port, id, flags } = endpoint;
  const words = [
    address,
    ...(port === 0 ? [] : [`port ${port}`]),
    `id ${id}`,
    ...flags.names,
    ...(flags.unknown === 0 ? [] : [`rawflags ${hex2(flags.unknown)}`]),
    ...(device === undefined ? [] : [`dev ${device}`]),
  ];
  return `${words.join(" ")} \n`;
}

export function endpointObject(endpoint: Endpoint, device: string | undefined): JsonObject {
  const { address, port, id, flags } = endpoint;
  return {
    address,
    port: port === 0 ? undefined : port,
    id,
    ...Object.fromEntries(flags.names.map((name) => [name, true])),
    rawflags: flags.unknown === 0 ? undefined : hex2(flags.unknown),
    dev: device,
  };
}

export function limitsLine({ subflows, addAddrAccepted }: Limits): string {
  return `add_addr_accepted ${addAddrAccepted} subflows ${subflows} \n`;
}

/** iproute2 prints the line even with -j; its names make the object. */
export function limitsObject({ subflows, addAddrAccepted }: Limits): JsonObject {
  return { add_addr_accepted: addAddrAccepted, subflows };
}

/** printf's %02x */
function hex2(value: number): string {
  return value.toString(16).padStart(2, "0");
}
