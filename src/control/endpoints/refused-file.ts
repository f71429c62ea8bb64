import * as v from "valibot";
import { oneLine } from "../../base/text.ts";
import type { Refusal } from "../policy/refused-endpoints.ts";
import { readJson } from "./ledger-file.ts";
import { type NamespaceIdentity, namespaceFile } from "./namespace.ts";

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

/** Where the daemon says which commands the kernel refused; not there if none. */
export function refusedFile(directory: string, namespace: NamespaceIdentity): string {
  return namespaceFile(directory, namespace, "refused");
}

export function refusedText({ bootId }: NamespaceIdentity, refusals: readonly Refusal[]): string {
  return JSON.stringify({ bootId, refusals });
}

/** Throws Error when it cannot be read, or makes no sense. */
export function readRefused(directory: string, namespace: NamespaceIdentity): readonly Refusal[] {
  const stored = readJson(refusedFile(directory, namespace), refusedSchema);
  return stored?.bootId === namespace.bootId ? stored.refusals : [];
}
