/**
 * The text of a ledger: a line with the whole state, and a line for each change since then. Version 1 had only the
 * first line, without a line feed.
 */
import * as v from "valibot";
import type { Endpoint, Limits } from "../../kernel/mptcp-pm.ts";
import { endpointSchema, isSameEndpoint, plainEndpoint } from "./endpoint-record.ts";
import { parseJson } from "./state-file.ts";

export interface LimitsRecord {
  /** As the administrator had them. */
  readonly found: Limits;
  /** As we set them: the last values, and the values before, which are in force if the command did not go out. */
  readonly ours: readonly Limits[];
}

export interface PathManagerRecord {
  /** As the administrator had it. */
  readonly found: string;
  readonly ours: string;
}

export interface LedgerState {
  readonly endpoints: readonly Endpoint[];
  /** Made by commands of path managers. */
  readonly commanded: readonly Endpoint[];
  readonly limits: LimitsRecord | undefined;
  /** How many endpoints the kernel holds at most, once it has refused one. */
  readonly capacity: number | undefined;
  /** net.mptcp.path_manager, if we have set it. */
  readonly pathManager: PathManagerRecord | undefined;
}

export type EndpointList = "endpoints" | "commanded";

export type LedgerChange =
  | { readonly change: "limits"; readonly limits: LimitsRecord | undefined }
  | { readonly change: "capacity"; readonly capacity: number }
  | { readonly change: "path-manager"; readonly pathManager: PathManagerRecord | undefined };

export const nothing: LedgerState = {
  endpoints: [],
  commanded: [],
  limits: undefined,
  capacity: undefined,
  pathManager: undefined,
};

const endpoints = v.array(endpointSchema);
const limits = v.object({ subflows: v.number(), addAddrAccepted: v.number() });
const limitsRecord = v.object({ found: limits, ours: v.array(limits) });
const pathManagerRecord = v.object({ found: v.string(), ours: v.string() });

const stateSchema = v.object({
  version: v.picklist([1, 2]),
  bootId: v.string(),
  endpoints,
  commanded: v.optional(endpoints),
  limits: v.optional(limitsRecord),
  capacity: v.optional(v.number()),
  pathManager: v.optional(pathManagerRecord),
});

/** JSON leaves out undefined members: an absent member means that there is no longer a record. */
const changeSchema = v.variant("change", [
  v.object({ change: v.picklist(["endpoints", "commanded"]), dropped: endpoints, recorded: endpoints }),
  v.object({ change: v.literal("limits"), limits: v.optional(limitsRecord) }),
  v.object({ change: v.literal("capacity"), capacity: v.number() }),
  v.object({ change: v.literal("path-manager"), pathManager: v.optional(pathManagerRecord) }),
]);

/** The first line. */
export function wholeLedger(state: LedgerState, bootId: string): string {
  const { endpoints, commanded, limits, capacity, pathManager } = state;
  const whole: v.InferInput<typeof stateSchema> = {
    version: 2,
    bootId,
    endpoints: endpoints.map(plainEndpoint),
    ...(commanded.length > 0 && { commanded: commanded.map(plainEndpoint) }),
    limits: limits && { ...limits, ours: [...limits.ours] },
    capacity,
    pathManager,
  };
  return `${JSON.stringify(whole)}\n`;
}

/** Each change is one line: if a line is torn, nothing of its change has happened. */
export function changeLine(change: LedgerChange): string {
  return `${JSON.stringify(change)}\n`;
}

/** The line of a change of endpoints. Made by hand because an endpoint waits for it. */
export function endpointsLine(
  list: EndpointList,
  dropped: readonly Endpoint[],
  recorded: readonly Endpoint[],
): string {
  return `{"change":"${list}","dropped":[${listText(dropped)}],"recorded":[${listText(recorded)}]}\n`;
}

function listText(endpoints: readonly Endpoint[]): string {
  let text = "";
  for (const { id, address, port, flags, ifIndex } of endpoints)
    text += `${text && ","}{"id":${id},"address":${JSON.stringify(address)},"port":${port},"flags":${flags.value},"ifIndex":${ifIndex}}`;
  return text;
}

/**
 * @returns undefined if the text is from another boot
 * @throws Error if the text makes no sense
 */
export function readLedger(text: string, bootId: string): LedgerState | undefined {
  const [first = "", ...lines] = text.split("\n");
  const { commanded = [], limits, capacity, pathManager, ...state } = parseJson(first, stateSchema);
  if (state.bootId !== bootId) return undefined;
  // mptcpd was killed while it wrote the text after the last line feed: the command never went out.
  const changes = lines.slice(0, -1).map((line) => parseJson(line, changeSchema));
  return changes.reduce(apply, { endpoints: state.endpoints, commanded, limits, capacity, pathManager });
}

function apply(state: LedgerState, change: v.InferOutput<typeof changeSchema>): LedgerState {
  switch (change.change) {
    case "endpoints":
    case "commanded": {
      const isDropped = (own: Endpoint): boolean => change.dropped.some((other) => isEqual(own, other));
      const kept = state[change.change].filter((own) => !isDropped(own));
      return { ...state, [change.change]: [...kept, ...change.recorded] };
    }
    case "limits":
      return { ...state, limits: change.limits };
    case "capacity":
      return { ...state, capacity: change.capacity };
    case "path-manager":
      return { ...state, pathManager: change.pathManager };
  }
}

function isEqual(a: Endpoint, b: Endpoint): boolean {
  return isSameEndpoint(a, b) && a.ifIndex === b.ifIndex && a.flags.value === b.flags.value;
}
