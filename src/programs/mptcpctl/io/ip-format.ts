/**
 * The output of `ip mptcp`, byte for byte, including the blank at the end of a line (iproute2, ip/ipmptcp.c): lines for
 * people, objects for programs, and the layout of its JSON. Names that iproute2 6.1 does not know come from 7.1.
 */
import type { Endpoint, Limits } from "../../../kernel/mptcp-pm.ts";

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

/** iproute2 prints the text line even with -j. The names of that line are the names of this object. */
export function limitsObject({ subflows, addAddrAccepted }: Limits): JsonObject {
  return { add_addr_accepted: addAddrAccepted, subflows };
}

/** printf's %02x */
function hex2(value: number): string {
  return value.toString(16).padStart(2, "0");
}

/** The values of our JSON. */
export type JsonValue = string | number | boolean | undefined | JsonObject | readonly JsonObject[];
export type JsonObject = { readonly [name: string]: JsonValue };

/**
 * A list in the layout of `ip -j`, or with `pretty` of `ip -j -p`: scripts that read their JSON by line can read ours.
 * Undefined values are left out.
 */
export function jsonList(objects: readonly JsonObject[], pretty: boolean): string {
  if (!pretty) return `${JSON.stringify(objects)}\n`;
  return objects.length === 0 ? "[ ]\n" : `[ ${objects.map(prettyObject).join(",")} ]\n`;
}

/** One object of an endless stream: one line (JSON lines), or several lines with `pretty`. */
export function jsonItem(object: JsonObject, pretty: boolean): string {
  return `${JSON.stringify(object, undefined, pretty ? 4 : undefined)}\n`;
}

function prettyObject(object: JsonObject): string {
  const fields = Object.entries(object)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `        ${JSON.stringify(name)}: ${prettyValue(value)}`);
  return `{\n${fields.join(",\n")}\n    }`;
}

function prettyValue(value: JsonValue): string {
  return JSON.stringify(value, undefined, 4).replaceAll("\n", "\n        ");
}
