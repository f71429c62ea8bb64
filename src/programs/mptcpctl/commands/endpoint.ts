/** `mptcpctl endpoint …` and `mptcpctl limits …`: the grammar of ip-mptcp(8), plus `endpoint show token TOKEN`. */
import { type Endpoint, type EndpointFlag, endpointFlags, type MptcpPm } from "../../../kernel/mptcp-pm.ts";
import { indexOf, namesOf } from "../io/interfaces.ts";
import { endpointLine, endpointObject, jsonList, limitsLine, limitsObject } from "../io/ip-format.ts";
import { withPathManager } from "../io/kernel-access.ts";
import { CommandError, type CommandOutput, UsageError } from "../io/output.ts";
import { endpointUsages, limitsUsages } from "../io/usages.ts";
import {
  address,
  dev,
  type Grammar,
  endpointId as id,
  noWords,
  once,
  port,
  readNumber,
  readWords,
  token,
  type WordTable,
} from "../io/word-grammar.ts";

export type EndpointCommand = "add" | "change" | "delete" | "show" | "flush";

/** The words after an endpoint command. Fields that were not given are absent. */
export type EndpointRequest = {
  address?: string;
  id?: number;
  port?: number;
  dev?: string;
  token?: number;
  /** For `change`: the flags that the endpoint gets. `change` clears backup and fullmesh if they are not named. */
  flags: EndpointFlag[];
  /** Whether `change` was given a flag, such as backup or nobackup. */
  changes?: boolean;
};

export type LimitsRequest = { subflows?: number; addAddrAccepted?: number };

export async function runEndpoint(
  command: EndpointCommand,
  words: readonly string[],
  output: CommandOutput,
): Promise<void> {
  const request = readEndpointWords(command, words);
  await withPathManager((pm) => commands[command](pm, request, output));
}

export async function runLimits(
  command: "set" | "show",
  words: readonly string[],
  output: CommandOutput,
): Promise<void> {
  const request = readLimitsWords(command, words);
  await withPathManager(async (pm) => {
    const limits = await pm.getLimits();
    if (command === "set") await pm.setLimits({ ...limits, ...request });
    else output.write(output.json ? jsonList([limitsObject(limits)], output.pretty) : limitsLine(limits));
  });
}

export function readEndpointWords(command: EndpointCommand, words: readonly string[]): EndpointRequest {
  const request = readWords(endpointGrammars[command], words, { flags: [] });
  checks[command]?.(request);
  return request;
}

export function readLimitsWords(command: "set" | "show", words: readonly string[]): LimitsRequest {
  const grammar = command === "set" ? limitsGrammar : noWords("limits show");
  const request = readWords(grammar, words, {});
  if (command === "set" && words.length === 0)
    throw new UsageError(`limits set: say which: ${limitsUsages.set}`);
  return request;
}

type Run = (pm: MptcpPm, request: EndpointRequest, output: CommandOutput) => Promise<void>;

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
    // If both are given, the kernel uses the address.
    const which = address === undefined ? { id } : { address, ...(port !== undefined && { port }) };
    await pm.changeEndpoint({ ...which, flags: endpointFlags.of(...flags) });
  },

  async delete(pm, { id = 0, address }) {
    await pm.deleteEndpoint({ id, ...(address !== undefined && { address }) });
  },

  async show(pm, request, output) {
    const endpoints = await select(pm, request);
    const devices = await namesOf(endpoints.map(({ ifIndex }) => ifIndex));
    const shown = endpoints.map((endpoint) => ({ endpoint, device: devices.get(endpoint.ifIndex) }));
    if (output.json) {
      const objects = shown.map(({ endpoint, device }) => endpointObject(endpoint, device));
      output.write(jsonList(objects, output.pretty));
    } else output.write(shown.map(({ endpoint, device }) => endpointLine(endpoint, device)).join(""));
  },

  flush: (pm) => pm.flushEndpoints(),
};

/**
 * The endpoints that the user asked for. The kernel finds an endpoint by its id, but not by its address, so this
 * function searches the list of all endpoints.
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

const addFlags = ["signal", "subflow", "laminar", "backup", "fullmesh"] as const satisfies EndpointFlag[];
const changeFlags = ["backup", "nobackup", "fullmesh", "nofullmesh"] as const;

const endpointGrammars: Readonly<Record<EndpointCommand, Grammar<EndpointRequest>>> = {
  add: {
    command: "endpoint add",
    flags: addFlags,
    readFlag: (request, flag) => request.flags.push(...addFlags.filter((name) => name === flag)),
    keywords: { id, dev, port },
    other: address,
  },
  change: {
    command: "endpoint change",
    flags: changeFlags,
    readFlag(request, flag) {
      request.changes = true;
      if (flag === "backup" || flag === "fullmesh") request.flags.push(flag);
    },
    keywords: { id, port },
    other: address,
  },
  delete: { command: "endpoint delete", flags: [], keywords: { id }, other: address },
  show: { command: "endpoint show", flags: [], keywords: { id, token }, other: address },
  flush: noWords("endpoint flush"),
};

/** Rules that a grammar of words in any order cannot express. */
const checks: Readonly<Partial<Record<EndpointCommand, (request: EndpointRequest) => void>>> = {
  add({ address, id, port, flags }) {
    if (address === undefined)
      throw new UsageError(`endpoint add: ADDRESS is missing: ${endpointUsages.add}`);
    if (flags.includes("signal") && flags.includes("fullmesh"))
      throw new UsageError("endpoint add: signal and fullmesh exclude each other");
    refuseZero("endpoint add", id);
    if (port !== undefined && port !== 0 && !flags.includes("signal"))
      throw new UsageError("endpoint add: a port is for announcing: it needs the flag signal");
  },
  change({ address, id, port, changes }) {
    refuseZero("endpoint change", id);
    if (id === undefined && address === undefined)
      throw new UsageError(`endpoint change: say which endpoint: ${endpointUsages.change}`);
    if (id !== undefined && port !== undefined)
      throw new UsageError("endpoint change: a port goes with ADDRESS, not with id");
    if (!changes) throw new UsageError(`endpoint change: say what to change: ${changeFlags.join(", ")}`);
  },
  delete({ address, id }) {
    if (id === undefined)
      throw new UsageError("endpoint delete: id ID is missing; `mptcpctl endpoint show` lists the ids");
    if (id === 0 && address === undefined)
      throw new UsageError(
        "endpoint delete: id 0 is the address of initial subflows: it needs ADDRESS as well",
      );
    if (id !== 0 && address !== undefined)
      throw new UsageError("endpoint delete: ADDRESS goes with id 0 only; the id alone names an endpoint");
  },
  show({ id }) {
    refuseZero("endpoint show", id);
  },
};

const limitsGrammar: Grammar<LimitsRequest> = {
  command: "limits set",
  flags: [],
  keywords: {
    subflows: {
      value: "NR",
      read(request, word, { command }) {
        once(command, "subflows", request.subflows);
        request.subflows = readNumber(command, "number of subflows", word, 0xffffffff);
      },
    },
    add_addr_accepted: {
      value: "NR",
      read(request, word, { command }) {
        once(command, "add_addr_accepted", request.addAddrAccepted);
        request.addAddrAccepted = readNumber(command, "number of addresses", word, 0xffffffff);
      },
    },
  },
};

/** The words of each of these commands. */
export const endpointWordTables: readonly WordTable[] = [...Object.values(endpointGrammars), limitsGrammar];

function refuseZero(command: string, id: number | undefined): void {
  if (id === 0) throw new UsageError(`${command}: id 0 is reserved for the address of initial subflows`);
}
