import { rmSync } from "node:fs";
import * as v from "valibot";
import { endpointFlags } from "../kernel/mptcp-pm.ts";
import { oneLine } from "../log/text.ts";
import type { WantedEndpoints } from "../policy/wanted.ts";
import { readJson, writeJson } from "./ledger-file.ts";
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

/** Which endpoints a path manager wants, for programs that cannot ask it: its code is the daemon's to run. */
export class WantedFile {
  readonly #file: string;
  readonly #bootId: string;

  constructor(directory: string, namespace: NamespaceIdentity) {
    this.#file = namespaceFile(directory, namespace, "wanted");
    this.#bootId = namespace.bootId;
  }

  write({ by, endpoints }: StatedWish): void {
    const plain = endpoints?.map((endpoint) => ({ ...endpoint, flags: endpoint.flags.value }));
    writeJson(this.#file, { bootId: this.#bootId, by, endpoints: plain });
  }

  /** Nobody decides any more. */
  remove(): void {
    rmSync(this.#file, { force: true });
  }

  /** @throws Error when it cannot be read, or makes no sense */
  read(): StatedWish | undefined {
    const stored = readJson(this.#file, wantedSchema);
    return stored?.bootId === this.#bootId ? stored : undefined;
  }
}
