import * as v from "valibot";
import { messageOf } from "../../base/errors.ts";
import { readStateFile } from "../../base/runtime-directory.ts";
import { cut, oneLine } from "../../base/text.ts";
import { type Endpoint, endpointFlags } from "../../kernel/mptcp-pm.ts";

const flags = v.pipe(
  v.number(),
  v.transform((value) => endpointFlags.from(value)),
);
const limits = v.object({ subflows: v.number(), addAddrAccepted: v.number() });

/** An endpoint as ledgers and requests to adopt have it. */
export const endpointSchema = v.object({
  id: v.number(),
  address: v.string(),
  port: v.number(),
  flags,
  ifIndex: v.number(),
});

export const ledgerSchema = v.object({
  version: v.literal(1),
  bootId: v.string(),
  endpoints: v.array(endpointSchema),
  commanded: v.optional(v.array(endpointSchema)),
  limits: v.optional(v.object({ found: limits, ours: v.array(limits) })),
  capacity: v.optional(v.number()),
  pathManager: v.optional(v.object({ found: v.string(), ours: v.string() })),
});

export function plainEndpoint(endpoint: Endpoint): v.InferInput<typeof endpointSchema> {
  return { ...endpoint, flags: endpoint.flags.value };
}

/**
 * Reads a file of JSON.
 *
 * @returns undefined if there is none
 * @throws Error when it cannot be read, or is not of the schema
 */
export function readJson<Schema extends v.GenericSchema>(
  file: string,
  schema: Schema,
): v.InferOutput<Schema> | undefined {
  const text = readStateFile(file);
  if (text === undefined) return undefined;
  try {
    // A file full of faults has a message for each.
    return v.parse(schema, JSON.parse(text), { abortEarly: true });
  } catch (error) {
    // It quotes the file.
    throw new Error(cut(oneLine(messageOf(error)), 200), { cause: error });
  }
}
