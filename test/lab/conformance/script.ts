/**
 * Scripts of commands and events, which run on a kernel's path managers: on the simulated one and on the real one. What
 * a script gives is compared, so nobody writes down what it should give.
 */
import {
  type Endpoint,
  type EndpointFlag,
  endpointFlags,
  type Limits,
  type MptcpEvent,
  type MptcpPm,
  type NewEndpoint,
  type SubflowEnd,
} from "../../../src/kernel/mptcp-pm.ts";
import { refusalOf } from "../../../src/kernel/mptcp-pm-refusals.ts";
import type { LocalEnd } from "../../../src/kernel/mptcp-pm-schema.ts";
import { KernelError } from "../../../src/kernel/netlink/errors.ts";
import { mapped } from "../../../src/kernel/netlink/ip.ts";
import type { ConnectionOutline } from "../../../src/kernel/sockets.ts";

type Flags = readonly EndpointFlag[];
/** A remote address; the port is that of the peer's listener if it is not given. */
type Target = { readonly address?: string; readonly port?: number };
/** A subflow of the connection, by its local address: the first one, or one that is not there. */
type Chosen = { readonly from: string; readonly spelled?: "mapped"; readonly ports?: "none" };

/** What there is to do with endpoints and limits. */
export type EndpointStep =
  | { readonly do: "add endpoint"; readonly endpoint: Omit<NewEndpoint, "flags">; readonly flags: Flags }
  | {
      readonly do: "change endpoint";
      readonly endpoint: { readonly id: number } | { readonly address: string; readonly port?: number };
      readonly flags: Flags;
    }
  | { readonly do: "delete endpoint"; readonly id: number; readonly address?: string }
  | { readonly do: "get endpoint"; readonly id: number }
  | { readonly do: "flush endpoints" }
  | { readonly do: "set limits"; readonly limits: Limits };

/** What there is to do with the connection of a script. */
export type ConnectionStep =
  | { readonly do: "establish" }
  | { readonly do: "announce"; readonly local: LocalEnd & { readonly id: number } }
  | { readonly do: "withdraw"; readonly id: number }
  | { readonly do: "create"; readonly local: LocalEnd; readonly to?: Target; readonly flags?: Flags }
  | ({ readonly do: "destroy" } & Chosen)
  | ({ readonly do: "set backup"; readonly backup: boolean } & Chosen)
  | { readonly do: "get address"; readonly id: number }
  | { readonly do: "peer announces"; readonly id: number; readonly address: string; readonly port?: number }
  | { readonly do: "peer withdraws"; readonly id: number }
  | { readonly do: "peer joins"; readonly from: string; readonly id: number; readonly to: string }
  | { readonly do: "peer sets backup"; readonly from: string; readonly backup: boolean }
  | { readonly do: "peer closes"; readonly from: string }
  | { readonly do: "close" };

/** The side that the script is on, the sockets, and who manages the connection. */
export interface Opening {
  readonly side: "client" | "server";
  readonly sockets: "ipv4" | "dual-stack" | "ipv6";
  readonly pathManager: "kernel" | "userspace";
}

export interface Script {
  readonly opening?: Opening;
  readonly steps: readonly (EndpointStep | ConnectionStep)[];
}

/** The two ends of the connection of a script, on its own side. */
export interface Ends {
  readonly token: number;
  readonly local: SubflowEnd & { readonly port: number };
  readonly remote: SubflowEnd & { readonly port: number };
}

export type PathManager = Pick<MptcpPm, Exclude<keyof MptcpPm, "close" | "events">>;

/** The addresses that the host of a stage has, apart from all of 127.0.0.0/8. */
export const ownAddresses = ["::1", "fd00::1", "fd00::2", "fd00::3"];

export function hasAddress(address: string): boolean {
  return address.startsWith("127.") || ownAddresses.includes(address);
}

/** Both ends of a connection. */
export function loopback(sockets: Opening["sockets"]): string {
  return sockets === "ipv6" ? "::1" : "127.0.0.1";
}

/** A kernel that a script runs on. */
export interface Stage {
  /** Gives a command, and waits for the answer. */
  order<T>(command: (pm: PathManager) => Promise<T>): Promise<T>;
  /** Begins the connection. It is not established yet where the script is on the client's side. */
  open(opening: Opening): Promise<Ends>;
  /** Does what the peer, or the connection's program, does; for "create" and the like, waits until the peer knows. */
  act(step: ConnectionStep): Promise<void>;
  /** The events since the last call: as many as are to be expected, and then all that there are. */
  happened(expected: number): Promise<MptcpEvent[]>;
  outlines(): Promise<ConnectionOutline[]>;
  /** Removes what is left of a script. */
  close(): Promise<void>;
}

/** What became of a step: the answer to it, then what there is, then events. */
export interface Outcome {
  readonly step: string;
  readonly answer: string;
  readonly state: readonly string[];
  readonly events: readonly string[];
}

/** Runs a script. @param expected what another kernel gave, which tells how many events to wait for */
export async function run(stage: Stage, script: Script, expected?: readonly Outcome[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const take = async (step: string, act: (ends: Ends | undefined) => Promise<string>, ends?: Ends) => {
    const answer = await act(ends);
    const awaited = expected?.[outcomes.length]?.events.length ?? 0;
    const happened = (await stage.happened(awaited)).flatMap((event) => eventLine(event, ends));
    // What a peer does with several subflows it may do in any order.
    const events = step.includes('"peer ') ? happened.toSorted() : happened;
    const state = [...(await endpointLines(stage)), ...(await connectionLines(stage, ends))];
    outcomes.push({ step, answer, state, events });
  };
  try {
    let ends: Ends | undefined;
    if (script.opening !== undefined) {
      ends = await stage.open(script.opening);
      await take(`open ${JSON.stringify(script.opening)}`, async () => "done", ends);
    }
    for (const step of script.steps)
      await take(JSON.stringify(step), () => answerOf(() => carryOut(stage, step, ends)), ends);
    return outcomes;
  } finally {
    await stage.close();
  }
}

async function answerOf(command: () => Promise<unknown>): Promise<string> {
  try {
    const answer = await command();
    return answer === undefined ? "done" : JSON.stringify(answer);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    const { code, extendedAck = "" } = error;
    return `${code} ${refusalOf(error) ?? "without a name"}: ${extendedAck}`;
  }
}

async function carryOut(stage: Stage, step: EndpointStep | ConnectionStep, ends?: Ends): Promise<unknown> {
  switch (step.do) {
    case "add endpoint": {
      const endpoint = { ...step.endpoint, flags: endpointFlags.of(...step.flags) };
      return stage.order((pm) => pm.addEndpoint(endpoint));
    }
    case "change endpoint": {
      const change = { ...step.endpoint, flags: endpointFlags.of(...step.flags) };
      return stage.order((pm) => pm.changeEndpoint(change));
    }
    case "delete endpoint":
      return stage.order((pm) => pm.deleteEndpoint(step));
    case "get endpoint":
      return stage.order((pm) => pm.getEndpoint(step.id));
    case "flush endpoints":
      return stage.order((pm) => pm.flushEndpoints());
    case "set limits":
      return stage.order((pm) => pm.setLimits(step.limits));
    default:
      if (ends === undefined) throw new Error(`${step.do}: the script has no connection`);
      return await carryOutFor(stage, step, ends);
  }
}

async function carryOutFor(stage: Stage, step: ConnectionStep, ends: Ends): Promise<unknown> {
  const { token, remote } = ends;
  switch (step.do) {
    case "announce":
      await stage.order((pm) => pm.announce({ token, ...step.local }));
      return await stage.act(step);
    case "withdraw":
      await stage.order((pm) => pm.remove({ token, id: step.id }));
      return await stage.act(step);
    case "create": {
      const { local, to, flags } = step;
      const target = { address: remote.address, port: remote.port, ...to };
      const subflow = { token, local, remote: target, ...(flags && { flags: endpointFlags.of(...flags) }) };
      return await stage.order((pm) => pm.createSubflow(subflow));
    }
    case "destroy": {
      const chosen = await choose(stage, step, ends);
      return await stage.order((pm) => pm.destroySubflow({ token, ...chosen }));
    }
    case "set backup": {
      const chosen = await choose(stage, step, ends);
      const flags = endpointFlags.of(...(step.backup ? (["backup"] as const) : []));
      await stage.order((pm) => pm.setSubflowFlags({ token, ...chosen, flags }));
      return await stage.act(step);
    }
    case "get address":
      return endpointLine(await stage.order((pm) => pm.getEndpoint(step.id, token)));
    default:
      return await stage.act(step);
  }
}

/** The ends of a subflow, as its socket spells them. */
async function choose(stage: Stage, { from, spelled, ports }: Chosen, { token, remote }: Ends) {
  const connection = (await stage.outlines()).find((one) => one.token === token);
  const found = connection?.subflows.find(({ local }) => local.address === from);
  const { local, remote: there } = found ?? { local: { address: from, port: 1 }, remote };
  const spell = (address: string): string => (spelled === "mapped" ? mapped(address) : address);
  const end = ({ address, port }: SubflowEnd): SubflowEnd =>
    ports === "none" ? { address: spell(address) } : { address: spell(address), ...(port && { port }) };
  return { local: end(local), remote: end(there) };
}

async function endpointLines(stage: Stage): Promise<string[]> {
  const endpoints = await stage.order((pm) => pm.dumpEndpoints());
  const { subflows, addAddrAccepted } = await stage.order((pm) => pm.getLimits());
  return [`limits ${subflows} ${addAddrAccepted}`, ...endpoints.map((endpoint) => endpointLine(endpoint))];
}

async function connectionLines(stage: Stage, ends: Ends | undefined): Promise<string[]> {
  if (ends === undefined) return [];
  const connection = (await stage.outlines()).find(({ token }) => token === ends.token);
  if (connection === undefined) return ["no connection"];
  const list = await answerOf(async () =>
    (await stage.order((pm) => pm.dumpEndpoints(ends.token))).map((one) => endpointLine(one)),
  );
  const subflows = connection.subflows
    .filter(({ state }) => state === "established" || state === "syn-sent")
    .map(({ local, remote, localId, remoteId, ifIndex, state, flags, socketFamily }) => {
      // Whether there was data is not in question here.
      const shown = flags.without("connected", "fullyEstablished");
      const places = `${placeOf(local, ends)} id ${localId} > ${placeOf(remote, ends)} id ${remoteId}`;
      return `subflow ${places} dev ${ifIndex} ${state} of ${socketFamily} ${shown}`;
    });
  return [`addresses ${list}`, ...subflows.toSorted()];
}

function endpointLine(endpoint: Endpoint | undefined): string {
  if (endpoint === undefined) return "none";
  const { id, address, port, flags, ifIndex } = endpoint;
  return `${id} ${address} port ${port} dev ${ifIndex} ${flags}`;
}

/** Events of the script's connection and of its endpoints' listeners, without tokens, and with ports by name. */
function eventLine(event: MptcpEvent, ends: Ends | undefined): string[] {
  if ("token" in event && event.token !== ends?.token) return [];
  if ("localPort" in event && !("token" in event) && event.localPort >= FIRST_EPHEMERAL) return [];
  const shown = Object.entries(event).flatMap(([name, value]) => {
    if (name === "token" || value === undefined) return [];
    const isPort = name === "localPort" || name === "remotePort";
    return `${name}=${isPort ? portName(Number(value), ends) : value}`;
  });
  return [shown.toSorted().join(" ")];
}

function placeOf({ address, port = 0 }: SubflowEnd, ends: Ends): string {
  return `${address} ${portName(port, ends)}`;
}

/** Smaller ones are those that the script names. */
const FIRST_EPHEMERAL = 32_768;

function portName(port: number, ends: Ends | undefined): string {
  if (port === ends?.local.port) return "ours";
  if (port === ends?.remote.port) return "theirs";
  return port < FIRST_EPHEMERAL ? `${port}` : "ephemeral";
}
