import * as v from "valibot";
import { oneLine } from "../../base/text.ts";
import { endpointFlags } from "../../kernel/mptcp-pm.ts";
import type { WantedEndpoints } from "../policy/wanted-endpoints.ts";
import { readJson } from "./ledger-file.ts";
import { type NamespaceIdentity, namespaceFile } from "./namespace.ts";

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

/** The path manager that decides about endpoints; undefined: those that anybody can work out. */
export interface StatedWish {
  readonly by: string;
  readonly endpoints?: WantedEndpoints["endpoints"] | undefined;
}

/**
 * Where the daemon says which endpoints a path manager wants, for programs that cannot ask it: its code is the daemon's
 * to run.
 */
export function wantedFile(directory: string, namespace: NamespaceIdentity): string {
  return namespaceFile(directory, namespace, "wanted");
}

export function wantedText({ bootId }: NamespaceIdentity, { by, endpoints }: StatedWish): string {
  const plain = endpoints?.map((endpoint) => ({ ...endpoint, flags: endpoint.flags.value }));
  return JSON.stringify({ bootId, by, endpoints: plain });
}

/** Undefined: nobody decides. Throws Error when it cannot be read, or makes no sense. */
export function readWanted(directory: string, namespace: NamespaceIdentity): StatedWish | undefined {
  const stored = readJson(wantedFile(directory, namespace), wantedSchema);
  return stored?.bootId === namespace.bootId ? stored : undefined;
}
