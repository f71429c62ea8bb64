import * as v from "valibot";
import { messageOf } from "../../base/errors.ts";
import { isThere } from "../../base/files.ts";
import type { Endpoint, Limits } from "../../kernel/mptcp-pm.ts";
import { endpointSchema, isSamePlace, isSameRecord, plainEndpoint } from "./endpoint-record.ts";
import { type NamespaceIdentity, namespaceFile } from "./namespace.ts";
import { plainStore, readJson, type TextStore } from "./state-file.ts";

export interface LimitsRecord {
  /** As the administrator had them. */
  readonly found: Limits;
  /** As we set them: the last values, and those before, which are in force if the command did not go out. */
  readonly ours: readonly Limits[];
}

export interface PathManagerRecord {
  /** As the administrator had it. */
  readonly found: string;
  readonly ours: string;
}

const limits = v.object({ subflows: v.number(), addAddrAccepted: v.number() });
const ledgerSchema = v.object({
  version: v.literal(1),
  bootId: v.string(),
  endpoints: v.array(endpointSchema),
  commanded: v.optional(v.array(endpointSchema)),
  limits: v.optional(v.object({ found: limits, ours: v.array(limits) })),
  capacity: v.optional(v.number()),
  pathManager: v.optional(v.object({ found: v.string(), ours: v.string() })),
});

export interface LedgerOptions {
  readonly directory: string;
  readonly namespace: NamespaceIdentity;
  /** Told about a file that makes no sense; what it recorded is treated as foreign. */
  readonly warn: (message: string) => void;
  /** Changes are not written: for those who only want to know. */
  readonly readOnly?: boolean;
  /** How its file is written; by default a change that cannot be written throws StateWriteError. */
  readonly store?: (file: string) => TextStore;
}

/**
 * What of the kernel's state is ours: written down before the command goes out, so that a daemon that dies at
 * any moment finds its endpoints again and never takes another's for its own. One file per network namespace,
 * replaced as a whole; whoever writes it holds the namespace's lock.
 *
 * A file that cannot be written does not keep the daemon from its work: what is ours is known in memory as well, and
 * the file follows when it can. Only a daemon that is killed before that leaves endpoints that the next one takes for
 * somebody else's.
 */
export class Ledger {
  readonly #file: string;
  readonly #store: TextStore;
  readonly #bootId: string;
  readonly #readOnly: boolean;
  #endpoints: readonly Endpoint[] = [];
  #commanded: readonly Endpoint[] = [];
  #limits: LimitsRecord | undefined;
  #capacity: number | undefined;
  #pathManager: PathManagerRecord | undefined;

  /** Reads the ledger of a namespace, or begins one. */
  constructor({ directory, namespace, warn, readOnly = false, store = plainStore }: LedgerOptions) {
    const file = namespaceFile(directory, namespace, "ledger.json");
    this.#file = file;
    this.#store = store(file);
    this.#bootId = namespace.bootId;
    this.#readOnly = readOnly;
    try {
      const state = readJson(file, ledgerSchema);
      if (state?.bootId !== this.#bootId) return;
      this.#endpoints = state.endpoints;
      this.#commanded = state.commanded ?? [];
      this.#limits = state.limits;
      this.#capacity = state.capacity;
      this.#pathManager = state.pathManager;
    } catch (error) {
      const cause = messageOf(error);
      warn(`${file} cannot be used (${cause}): endpoints of an earlier run are treated as somebody else's`);
    }
  }

  get endpoints(): readonly Endpoint[] {
    return this.#endpoints;
  }

  get limits(): LimitsRecord | undefined {
    return this.#limits;
  }

  /** How many endpoints the kernel holds at most, once it has refused one. */
  get capacity(): number | undefined {
    return this.#capacity;
  }

  /** net.mptcp.path_manager, if we have set it. */
  get pathManager(): PathManagerRecord | undefined {
    return this.#pathManager;
  }

  /** Whether an endpoint of the kernel's is ours: id, address, port, interface and flags are as we recorded them. */
  owns(endpoint: Endpoint): boolean {
    return this.#endpoints.some((own) => isSameRecord(own, endpoint));
  }

  /**
   * Whether an endpoint was added by a command of a path manager. The policy has no say in these: they stay until a
   * path manager removes them.
   */
  isCommanded(endpoint: Endpoint): boolean {
    return this.#commanded.some((own) => isSameRecord(own, endpoint));
  }

  /**
   * To be called before a path manager's command that creates the endpoint, and after it with what the kernel has made
   * of it. The kernel has one endpoint of an address and port.
   */
  recordCommanded(endpoint: Endpoint): void {
    this.#commanded = [...this.#commanded.filter((own) => !isSamePlace(own, endpoint)), endpoint];
    this.#write();
  }

  forgetCommanded(place: { readonly address: string; readonly port?: number }): void {
    this.retainCommanded((own) => !isSamePlace(own, place));
  }

  /** Drops the commanded entries that do not satisfy the condition. */
  retainCommanded(condition: (own: Endpoint) => boolean): void {
    const kept = this.#commanded.filter(condition);
    if (kept.length === this.#commanded.length) return;
    this.#commanded = kept;
    this.#write();
  }

  /** To be called before the command that creates the endpoint. */
  record(endpoint: Endpoint): void {
    this.#endpoints = [...this.#endpoints.filter((own) => !isSameRecord(own, endpoint)), endpoint];
    this.#write();
  }

  /** To be called after the command that deletes the endpoint. */
  forget(endpoint: Endpoint): void {
    this.retain((own) => !isSameRecord(own, endpoint));
  }

  /** Drops the entries that do not satisfy the condition. */
  retain(condition: (own: Endpoint) => boolean): void {
    const kept = this.#endpoints.filter(condition);
    if (kept.length === this.#endpoints.length) return;
    this.#endpoints = kept;
    this.#write();
  }

  recordLimits(limits: LimitsRecord | undefined): void {
    this.#limits = limits;
    this.#write();
  }

  recordCapacity(capacity: number): void {
    this.#capacity = capacity;
    this.#write();
  }

  recordPathManager(record: PathManagerRecord | undefined): void {
    this.#pathManager = record;
    this.#write();
  }

  /** Writes the file again if somebody has removed it and it had anything to say. */
  restore(): void {
    if (this.#isEmpty || isThere(this.#file)) return;
    this.#write();
  }

  /**
   * Takes in the endpoints that another process has recorded while this one did not hold the namespace's lock, and
   * writes the file as it should be.
   */
  absorb(): void {
    try {
      const state = readJson(this.#file, ledgerSchema);
      const others = state?.bootId === this.#bootId ? state : undefined;
      const isNew = (endpoint: Endpoint): boolean => !this.owns(endpoint);
      this.#endpoints = [...this.#endpoints, ...(others?.endpoints ?? []).filter(isNew)];
    } catch {
      // Whatever it is, it is replaced.
    }
    if (!this.#isEmpty) this.#write();
  }

  get #isEmpty(): boolean {
    const nothing = this.#limits ?? this.#capacity ?? this.#pathManager;
    return this.#endpoints.length + this.#commanded.length === 0 && nothing === undefined;
  }

  #write(): void {
    if (this.#readOnly) return;
    const state: v.InferInput<typeof ledgerSchema> = {
      version: 1,
      bootId: this.#bootId,
      endpoints: this.#endpoints.map(plainEndpoint),
      ...(this.#commanded.length > 0 && { commanded: this.#commanded.map(plainEndpoint) }),
      limits: this.#limits && { ...this.#limits, ours: [...this.#limits.ours] },
      capacity: this.#capacity,
      pathManager: this.#pathManager,
    };
    this.#store.write(JSON.stringify(state));
  }
}
