/** `mptcpctl endpoint …` and `mptcpctl limits …` */
import { type Endpoint, endpointFlags, type MptcpPm } from "../../kernel/mptcp-pm.ts";
import { type Context, withPathManager } from "./context.ts";
import {
  type EndpointCommand,
  type EndpointRequest,
  readEndpointWords,
  readLimitsWords,
} from "./endpoint-grammar.ts";
import { CommandError } from "./exit.ts";
import { indexOf, namesOf } from "./interfaces.ts";
import { endpointLine, endpointObject, jsonList, limitsLine, limitsObject } from "./ip-format.ts";

export async function runEndpoint(
  command: EndpointCommand,
  words: readonly string[],
  context: Context,
): Promise<void> {
  const request = readEndpointWords(command, words);
  await withPathManager((pm) => commands[command](pm, request, context));
}

type Run = (pm: MptcpPm, request: EndpointRequest, context: Context) => Promise<void>;

const commands: Readonly<Record<EndpointCommand, Run>> = {
  async add(pm, { address = "", id, port, dev, flags }) {
    const ifIndex = dev === undefined ? undefined : await indexOf(dev, `add endpoint ${address}`);
    await pm.addEndpoint({
      address,
      flags: endpointFlags.of(...flags),
      ...(id !== undefined && { id }),
      ...(port !== undefined && { port }),
      ...(ifIndex !== undefined && { ifIndex }),
    });
  },

  async change(pm, { address, id = 0, port, flags }) {
    // Of both, the kernel goes by the address.
    const which = address === undefined ? { id } : { address, ...(port !== undefined && { port }) };
    await pm.changeEndpoint({ ...which, flags: endpointFlags.of(...flags) });
  },

  async delete(pm, { id = 0, address }) {
    await pm.deleteEndpoint({ id, ...(address !== undefined && { address }) });
  },

  async show(pm, request, context) {
    const endpoints = await select(pm, request);
    const devices = await namesOf(endpoints.map(({ ifIndex }) => ifIndex));
    const shown = endpoints.map((endpoint) => ({ endpoint, device: devices.get(endpoint.ifIndex) }));
    if (context.json) {
      const objects = shown.map(({ endpoint, device }) => endpointObject(endpoint, device));
      context.write(jsonList(objects, context.pretty));
    } else context.write(shown.map(({ endpoint, device }) => endpointLine(endpoint, device)).join(""));
  },

  flush: (pm) => pm.flushEndpoints(),
};

/**
 * The endpoints that are asked for. The kernel finds one by its id alone, and none by its address: an address is
 * looked up in the list of all.
 */
async function select(pm: MptcpPm, { id, address, token }: EndpointRequest): Promise<Endpoint[]> {
  if (id === undefined && address === undefined) return pm.dumpEndpoints(token);
  const all = await pm.dumpEndpoints(token);
  const found = all.filter(
    (endpoint) => (id ?? endpoint.id) === endpoint.id && (address ?? endpoint.address) === endpoint.address,
  );
  if (found.length > 0) return found;
  const wanted = [
    ...(address === undefined ? [] : [address]),
    ...(id === undefined ? [] : [`id ${id}`]),
  ].join(" ");
  throw new CommandError("ENOENT", `cannot show endpoint ${wanted}: there is none (ENOENT)`);
}

export async function runLimits(
  command: "set" | "show",
  words: readonly string[],
  context: Context,
): Promise<void> {
  const request = readLimitsWords(command, words);
  await withPathManager(async (pm) => {
    const limits = await pm.getLimits();
    if (command === "set") await pm.setLimits({ ...limits, ...request });
    else context.write(context.json ? jsonList([limitsObject(limits)], context.pretty) : limitsLine(limits));
  });
}
