/**
 * What the thread of the path managers and the daemon tell each other, as schemas: plain data, which is cloned on its
 * way. Users' code runs in the thread and could post anything, so the daemon believes no message before its schema has
 * read it. thread-input.ts has what the thread begins with.
 */
import * as v from "valibot";
import { levels } from "../../base/log/log.ts";
import { cut, oneLine } from "../../base/text.ts";
import type { WantedEndpoints } from "../../control/policy/input.ts";
import { endpointFlags } from "../../kernel/mptcp-pm.ts";
import { canonicalIp } from "../../kernel/netlink/ip.ts";

const unsigned = (most: number) => v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(most));
/** Counts from 1. */
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const lines = v.array(v.string());
const address = v.pipe(
  v.string(),
  v.check((text) => canonicalIp(text) === text, "is not an IP address"),
);
const id = unsigned(0xff);
const port = unsigned(0xffff);
const ifIndex = unsigned(2 ** 31 - 1);
/** Numbers on the way: a clone of Bits would lose its methods. */
const flags = v.pipe(
  unsigned(2 ** 32 - 1),
  v.transform((value) => endpointFlags.from(value)),
);

const namedPathManager = v.object({
  name: v.string(),
  /** That it was loaded from; undefined where it is built in, or a program. */
  file: v.undefinedable(v.string()),
});

/** Who decides what. */
const responsibility = v.object({
  /** Over connections. */
  connections: v.array(v.string()),
  /** What the kernel's path manager has to be for that. */
  needs: v.picklist(["userspace", "kernel", "any"]),
  /** Over endpoints; undefined: nobody. */
  endpoints: v.undefinedable(v.string()),
});

const wanted = v.object({
  by: v.string(),
  endpoints: v.array(v.object({ address, ifIndex, flags, port, priority: v.pipe(v.number(), v.finite()) })),
});

const endpointCommand = v.variant("kind", [
  v.object({
    kind: v.literal("add"),
    endpoint: v.object({
      ...{ address, flags },
      ...{ id: v.exactOptional(id), port: v.exactOptional(port), ifIndex: v.exactOptional(ifIndex) },
    }),
  }),
  v.object({ kind: v.literal("change"), id, flags }),
  v.object({ kind: v.literal("remove"), id }),
  v.object({ kind: v.literal("flush") }),
  v.object({ kind: v.literal("renew"), address }),
]);

const packedError = v.object({
  code: v.string(),
  message: v.string(),
  /** What KernelError is made of, if it is one. */
  kernel: v.exactOptional(
    v.object({
      what: v.string(),
      errno: v.number(),
      message: v.undefinedable(v.string()),
      attribute: v.undefinedable(v.string()),
    }),
  ),
});

const toThread = v.variant("kind", [
  /** Goes to work: nobody else does any more; `withoutGap`: but somebody did until now. */
  v.object({ kind: v.literal("takeOver"), withoutGap: v.boolean() }),
  v.object({ kind: v.literal("stop") }),
  /** A command for endpoints was carried out, or refused. */
  v.object({ kind: v.literal("answer"), request: count, error: v.undefinedable(packedError) }),
]);

const fromThread = v.variant("kind", [
  v.object({
    kind: v.literal("log"),
    level: v.picklist(levels),
    message: v.string(),
    fields: v.record(v.string(), v.union([v.string(), v.number()])),
  }),
  /** All is loaded. What is yet to come depends on the kernel, not on them. */
  v.object({ kind: v.literal("loaded"), pathManagers: v.array(namedPathManager) }),
  /** The network is known as well; it waits for `takeOver`. `Pulse.pathManager` counts the path managers from 1. */
  v.object({
    kind: v.literal("prepared"),
    pathManagers: v.array(namedPathManager),
    warnings: lines,
    responsibility,
  }),
  /** It cannot be: why, a line each. */
  v.object({ kind: v.literal("refused"), errors: lines }),
  /** All connections that there are were told. `failed`: why path managers could not be set up, a line each. */
  v.object({ kind: v.literal("running"), failed: lines }),
  v.object({ kind: v.literal("responsibility"), responsibility }),
  v.object({ kind: v.literal("fault"), pathManager: v.string(), count }),
  v.object({ kind: v.literal("wanted"), wanted }),
  /** A command for endpoints; `answer` has the same number. */
  v.object({ kind: v.literal("endpoints"), request: count, command: endpointCommand }),
  /** After `stop`: everything is put away. */
  v.object({ kind: v.literal("stopped") }),
]);

/** As senders have it: they change nothing of it. */
type Posted<T> = T extends (infer Item)[]
  ? readonly Posted<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Posted<T[Key]> }
    : T;

export type ToThread = Posted<v.InferOutput<typeof toThread>>;
/** As the daemon has it, and as the thread posts it. */
export type FromThread = v.InferOutput<typeof fromThread>;
/** Of a thread that has loaded everything. */
export type Prepared = FromThread & { readonly kind: "prepared" };
export type PostedByThread = Posted<v.InferInput<typeof fromThread>>;
export type NamedPathManager = Posted<v.InferOutput<typeof namedPathManager>>;
export type Responsibility = Posted<v.InferOutput<typeof responsibility>>;
export type PackedWanted = Posted<v.InferInput<typeof wanted>>;
export type PackedCommand = Posted<v.InferInput<typeof endpointCommand>>;
export type PackedError = Posted<v.InferOutput<typeof packedError>>;

/** A message that its schema refuses. It says where the message is wrong: "log: level: Invalid type: …". */
export class MessageError extends Error {
  override readonly name = "MessageError";
  readonly code = "EMESSAGE";
}

/** Reads what the daemon has told the thread. Throws MessageError. */
export function readToThread(message: unknown): ToThread {
  return read(toThread, message);
}

/** Reads what was posted in the thread. Throws MessageError. */
export function readFromThread(message: unknown): FromThread {
  return read(fromThread, message);
}

export function packWanted({ by, endpoints }: WantedEndpoints): PackedWanted {
  return { by, endpoints: endpoints.map((endpoint) => ({ ...endpoint, flags: endpoint.flags.value })) };
}

export function isOfKind<Kind extends FromThread["kind"]>(
  message: FromThread,
  kind: Kind,
): message is FromThread & { readonly kind: Kind } {
  return message.kind === kind;
}

/** Characters of an error: it quotes the message. */
const LONGEST_ERROR = 300;

function read<Schema extends v.GenericSchema>(schema: Schema, message: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, message, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = v.getDotPath(issue);
  const places = path === "kind" ? [path] : [kindOf(message), path];
  const where = places.filter((place) => typeof place === "string").map((place) => `${place}: `);
  throw new MessageError(cut(oneLine(`${where.join("")}${issue.message}`), LONGEST_ERROR));
}

function kindOf(message: unknown): unknown {
  return typeof message === "object" && message !== null && "kind" in message ? message.kind : undefined;
}
