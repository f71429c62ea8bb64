/**
 * What a path manager heard, in a file: JSON, a line each. The first line says what it is, the others what happened:
 *
 *     {"recording":"mptcpd","version":1,"time":"2026-11-25T19:00:00.000Z","kernel":"6.18.44"}
 *     {"at":0,"network":{"links":[…],"addresses":[…],"defaultRoutes":[…],"egress":[…],"formerNames":[…]}}
 *     {"at":0,"connections":[…]}
 *     {"at":1234.567,"event":{"event":"created","token":"84e50ebe",…}}
 *
 * `at` is milliseconds since the beginning and never runs backwards. `connections` are what sock_diag listed; events
 * that follow may be part of it already.
 */
import * as v from "valibot";
import { all } from "../../base/text.ts";
import { tokenText } from "../../control/connections/connection.ts";
import type { Network } from "../../control/network/network.ts";
import type { MptcpEvent } from "../../kernel/mptcp-pm.ts";
import type { ConnectionOutline } from "../../kernel/sockets.ts";
import * as schemas from "./recording-schema.ts";

export interface RecordingHeader {
  /** When it began, ISO 8601. */
  readonly time: string;
  /** The release of the kernel that it was recorded on. */
  readonly kernel: string;
}

export type RecordedItem = { readonly at: number } & (
  | { readonly network: Network }
  | { readonly connections: readonly ConnectionOutline[] }
  | { readonly event: MptcpEvent }
  /** The kernel dropped events; connections are listed anew after it. */
  | { readonly overrun: true }
  /** An event that could not be read: why. */
  | { readonly fault: string }
  /** The recorder was told to end. */
  | { readonly end: true }
);

export interface Recording {
  readonly header: RecordingHeader;
  readonly items: readonly RecordedItem[];
  /** The recorder was killed: its last line may be cut short, and what happened until then is all that is known. */
  readonly isWhole: boolean;
}

/** A file that is no recording, or not one of ours: "FILE:LINE: why". */
export class RecordingError extends Error {
  override readonly name = "RecordingError";
  readonly code = "ERECORDING";
}

const VERSION = 1;

export function headerLine({ time, kernel }: RecordingHeader): string {
  return `${JSON.stringify({ recording: "mptcpd", version: VERSION, time, kernel })}\n`;
}

export function itemLine(item: RecordedItem): string {
  return `${JSON.stringify({ at: Math.round(item.at * 1000) / 1000, ...plain(item) })}\n`;
}

/** Reads the lines of a file, which may end in the midst of one. Throws RecordingError. */
export async function readRecording(
  lines: Iterable<string> | AsyncIterable<string>,
  file: string,
): Promise<Recording> {
  const reader = new RecordingReader(file);
  for await (const line of lines) reader.take(line);
  return reader.end();
}

const foreign = "is no recording of mptcpctl";
const headerSchema = v.object(
  {
    recording: v.literal("mptcpd", foreign),
    version: v.literal(VERSION, (issue) => `is ${issue.received}, and this program knows ${VERSION}`),
    time: v.pipe(v.string(), v.isoTimestamp()),
    kernel: v.string(),
  },
  foreign,
);

const time = v.pipe(v.number(), v.minValue(0));
const itemSchemas = {
  network: v.object({ at: time, network: schemas.network }),
  connections: v.object({ at: time, connections: v.array(schemas.connection) }),
  event: v.object({ at: time, event: schemas.event }),
  overrun: v.object({ at: time, overrun: v.literal(true) }),
  fault: v.object({ at: time, fault: v.string() }),
  end: v.object({ at: time, end: v.literal(true) }),
};
type Kind = keyof typeof itemSchemas;

function isKind(name: string): name is Kind {
  return Object.hasOwn(itemSchemas, name);
}

class RecordingReader {
  readonly #file: string;
  readonly #items: RecordedItem[] = [];
  #header: RecordingHeader | undefined;
  #line = 0;
  #last = 0;
  /** What is wrong with the line before; of the last one that may be as it was cut short. */
  #suspicion: RecordingError | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  take(line: string): void {
    if (this.#suspicion !== undefined) throw this.#suspicion;
    this.#line++;
    const value = this.#parse(line);
    if (value === undefined) return;
    if (this.#header === undefined) {
      const { time, kernel } = this.#check(headerSchema, value);
      this.#header = { time, kernel };
    } else this.#items.push(this.#itemOf(value));
  }

  end(): Recording {
    if (this.#header === undefined)
      throw this.#suspicion ?? new RecordingError(`${this.#file}:1: there is no recording in it`);
    const last = this.#items.at(-1);
    return { header: this.#header, items: this.#items, isWhole: last !== undefined && "end" in last };
  }

  #parse(line: string): unknown {
    try {
      return JSON.parse(line);
    } catch {
      this.#suspicion = this.#fault("is no JSON");
      return undefined;
    }
  }

  #itemOf(value: unknown): RecordedItem {
    const names = typeof value === "object" && value !== null ? Object.keys(value) : [];
    const kind = names.find(isKind);
    if (kind === undefined)
      throw this.#fault(`has none of ${all(Object.keys(itemSchemas))}: it is no line of a recording`);
    const item = restored(this.#check(itemSchemas[kind], value));
    if (item.at < this.#last)
      throw this.#fault(`at: ${item.at} is earlier than ${this.#last}, the line before`);
    this.#last = item.at;
    return item;
  }

  #check<Schema extends v.GenericSchema>(schema: Schema, value: unknown): v.InferOutput<Schema> {
    const result = v.safeParse(schema, value);
    if (result.success) return result.output;
    const [issue] = result.issues;
    const path = v.getDotPath(issue);
    throw this.#fault(`${path === null ? "" : `${path}: `}${issue.message}`);
  }

  #fault(what: string): RecordingError {
    return new RecordingError(`${this.#file}:${this.#line}: ${what}`);
  }
}

type PlainItem = v.InferOutput<(typeof itemSchemas)[Kind]>;

/** What JSON has no word for: maps, and Infinity. */
function restored(item: PlainItem): RecordedItem {
  if (!("network" in item)) return item;
  const { links, addresses, defaultRoutes, formerNames, egress } = item.network;
  const forEver = { validLifetime: Number.POSITIVE_INFINITY, preferredLifetime: Number.POSITIVE_INFINITY };
  return {
    at: item.at,
    network: {
      links: new Map(links.map((link) => [link.index, link])),
      addresses: addresses.map((address) => ({ ...address, ...forEver })),
      defaultRoutes: defaultRoutes.map((route) => ({ ...route, destination: route.destination })),
      egress,
      formerNames: new Map(formerNames.map(({ index, name }) => [index, name])),
    },
  };
}

/** The other way round. Flags become text by themselves. */
function plain(item: RecordedItem): object {
  if ("connections" in item) return { connections: item.connections.map(withTokenText) };
  if ("event" in item) return { event: "token" in item.event ? withTokenText(item.event) : item.event };
  if ("network" in item) return { network: plainNetwork(item.network) };
  if ("fault" in item) return { fault: item.fault };
  return "overrun" in item ? { overrun: true } : { end: true };
}

function plainNetwork({ links, addresses, formerNames, ...rest }: Network): object {
  return {
    links: [...links.values()],
    addresses: addresses.map(({ validLifetime, preferredLifetime, ...address }) => address),
    ...rest,
    formerNames: Array.from(formerNames, ([index, name]) => ({ index, name })),
  };
}

function withTokenText<T extends { readonly token: number }>(of: T): object {
  return { ...of, token: tokenText(of.token) };
}
