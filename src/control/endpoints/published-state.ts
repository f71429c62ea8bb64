import * as v from "valibot";
import { oneLine } from "../../base/text.ts";
import { endpointFlags } from "../../kernel/mptcp-pm.ts";
import type { Refusal } from "../policy/decision.ts";
import type { WantedEndpoints } from "../policy/input.ts";
import { type NamespaceIdentity, namespaceFile } from "./namespace.ts";
import { readJson } from "./state-file.ts";

const wantedSchema = v.object({
  bootId: v.string(),
  // It is shown to people.
  by: v.pipe(v.string(), v.transform(oneLine)),
  endpoints: v.optional(
    v.array(
      v.object({
        address: v.string(),
        ifIndex: v.number(),
        flags: v.pipe(
          v.number(),
          v.transform((value) => endpointFlags.from(value)),
        ),
        port: v.number(),
        priority: v.number(),
      }),
    ),
  ),
});

/** The path manager that decides about endpoints; undefined: the default, which every program can work out itself. */
export interface PublishedEndpoints {
  readonly by: string;
  readonly endpoints?: WantedEndpoints["endpoints"] | undefined;
}

/**
 * The file in which the daemon publishes which endpoints a path manager wants. Other programs need it because only the
 * daemon runs the path manager's code.
 */
export function wantedFile(directory: string, namespace: NamespaceIdentity): string {
  return namespaceFile(directory, namespace, "wanted");
}

export function wantedText({ bootId }: NamespaceIdentity, { by, endpoints }: PublishedEndpoints): string {
  const plain = endpoints?.map((endpoint) => ({ ...endpoint, flags: endpoint.flags.value }));
  return JSON.stringify({ bootId, by, endpoints: plain });
}

/** Undefined: no path manager decides. Throws Error if the file cannot be read, or makes no sense. */
export function readWanted(directory: string, namespace: NamespaceIdentity): PublishedEndpoints | undefined {
  const stored = readJson(wantedFile(directory, namespace), wantedSchema);
  return stored?.bootId === namespace.bootId ? stored : undefined;
}

const refusedSchema = v.object({
  bootId: v.string(),
  refusals: v.array(
    v.object({
      action: v.picklist(["add", "change", "delete"]),
      address: v.string(),
      ifIndex: v.number(),
      code: v.string(),
      // It is shown to people.
      words: v.pipe(v.string(), v.transform(oneLine)),
      attempts: v.number(),
      retryAt: v.number(),
    }),
  ),
});

/** The file in which the daemon publishes which commands the kernel refused; it does not exist if there are none. */
export function refusedFile(directory: string, namespace: NamespaceIdentity): string {
  return namespaceFile(directory, namespace, "refused");
}

export function refusedText({ bootId }: NamespaceIdentity, refusals: readonly Refusal[]): string {
  return JSON.stringify({ bootId, refusals });
}

/** Throws Error if the file cannot be read, or makes no sense. */
export function readRefused(directory: string, namespace: NamespaceIdentity): readonly Refusal[] {
  const stored = readJson(refusedFile(directory, namespace), refusedSchema);
  return stored?.bootId === namespace.bootId ? stored.refusals : [];
}
