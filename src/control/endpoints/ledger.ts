import { messageOf } from "../../base/errors.ts";
import { isThere } from "../../base/files.ts";
import { readStateFile } from "../../base/runtime-directory.ts";
import type { Endpoint } from "../../kernel/mptcp-pm.ts";
import { Journal } from "../journal.ts";
import { isSamePlace, isSameRecord } from "./endpoint-record.ts";
import {
  changeLine,
  type EndpointList,
  endpointsLine,
  type LedgerChange,
  type LedgerState,
  type LimitsRecord,
  nothing,
  type PathManagerRecord,
  readLedger,
  wholeLedger,
} from "./ledger-format.ts";
import { type NamespaceIdentity, namespaceFile } from "./namespace.ts";

export interface LedgerOptions {
  readonly directory: string;
  readonly namespace: NamespaceIdentity;
  /** Told about a file that makes no sense; what it recorded is treated as foreign. */
  readonly warn: (message: string) => void;
  /** Changes are not written: for those who only want to know. */
  readonly readOnly?: boolean;
  /** How its file is written; by default a change that cannot be written throws StateWriteError. */
  readonly store?: OpenLedgerStore;
}

/** Where the ledger is kept. */
export interface LedgerStore {
  /** Adds the line of a change. */
  append(line: string): void;
  /** Writes it anew. */
  rewrite(): void;
}

/** @param wholeText gives the text of the file, as it should be now */
export type OpenLedgerStore = (file: string, wholeText: () => string) => LedgerStore;

/**
 * What of the kernel's state is ours: written down before the command goes out, so that a daemon that dies at any
 * moment finds its endpoints again and never takes another's for its own. One file per network namespace: a line with
 * the whole state, and one for each change since. Whoever writes it holds the namespace's lock.
 *
 * A file that cannot be written does not keep the daemon from its work: what is ours is known in memory as well, and
 * the file follows when it can. Only a daemon that is killed before that leaves endpoints that the next one takes for
 * somebody else's.
 */
export class Ledger {
  readonly #file: string;
  readonly #store: LedgerStore;
  readonly #bootId: string;
  readonly #readOnly: boolean;
  #state: { -readonly [Key in keyof LedgerState]: LedgerState[Key] } = { ...nothing };

  /** Reads the ledger of a namespace, or begins one. */
  constructor({ directory, namespace, warn, readOnly = false, store = writeAtOnce }: LedgerOptions) {
    const file = namespaceFile(directory, namespace, "ledger.json");
    this.#file = file;
    this.#store = store(file, () => wholeLedger(this.#state, namespace.bootId));
    this.#bootId = namespace.bootId;
    this.#readOnly = readOnly;
    try {
      this.#state = this.#read() ?? this.#state;
    } catch (error) {
      const cause = messageOf(error);
      warn(`${file} cannot be used (${cause}): mptcpd treats endpoints of an earlier run as not its own`);
    }
  }

  get endpoints(): readonly Endpoint[] {
    return this.#state.endpoints;
  }

  get limits(): LimitsRecord | undefined {
    return this.#state.limits;
  }

  /** How many endpoints the kernel holds at most, once it has refused one. */
  get capacity(): number | undefined {
    return this.#state.capacity;
  }

  /** net.mptcp.path_manager, if we have set it. */
  get pathManager(): PathManagerRecord | undefined {
    return this.#state.pathManager;
  }

  /** Whether an endpoint of the kernel's is ours: id, address, port, interface and flags are as we recorded them. */
  owns(endpoint: Endpoint): boolean {
    for (const own of this.#state.endpoints) if (isSameRecord(own, endpoint)) return true;
    return false;
  }

  /**
   * Whether an endpoint was added by a command of a path manager. The policy has no say in these: they stay until a
   * path manager removes them.
   */
  isCommanded(endpoint: Endpoint): boolean {
    return this.#state.commanded.some((own) => isSameRecord(own, endpoint));
  }

  /**
   * To be called before a path manager's command that creates the endpoint, and after it with what the kernel has made
   * of it. The kernel has one endpoint of an address and port.
   */
  recordCommanded(endpoint: Endpoint): void {
    this.#change("commanded", (own) => isSamePlace(own, endpoint), [endpoint]);
  }

  forgetCommanded(place: { readonly address: string; readonly port?: number }): void {
    this.#change("commanded", (own) => isSamePlace(own, place));
  }

  /** Drops the commanded entries that do not satisfy the condition. */
  retainCommanded(condition: (own: Endpoint) => boolean): void {
    this.#change("commanded", (own) => !condition(own));
  }

  /** To be called before the command that creates the endpoint. */
  record(endpoint: Endpoint): void {
    this.#change("endpoints", (own) => isSameRecord(own, endpoint), [endpoint]);
  }

  /** To be called after the command that deletes the endpoint. */
  forget(endpoint: Endpoint): void {
    this.#change("endpoints", (own) => isSameRecord(own, endpoint));
  }

  /** Drops the entries that do not satisfy the condition. */
  retain(condition: (own: Endpoint) => boolean): void {
    this.#change("endpoints", (own) => !condition(own));
  }

  recordLimits(limits: LimitsRecord | undefined): void {
    this.#state.limits = limits;
    this.#append({ change: "limits", limits });
  }

  recordCapacity(capacity: number): void {
    this.#state.capacity = capacity;
    this.#append({ change: "capacity", capacity });
  }

  recordPathManager(record: PathManagerRecord | undefined): void {
    this.#state.pathManager = record;
    this.#append({ change: "path-manager", pathManager: record });
  }

  /** Writes the file again if somebody has removed it and it had anything to say. */
  restore(): void {
    if (!this.#isEmpty && !isThere(this.#file)) this.#rewrite();
  }

  /**
   * Takes in the endpoints that another process has recorded while this one did not hold the namespace's lock, and
   * writes the file as it should be.
   */
  absorb(): void {
    try {
      const others = this.#read()?.endpoints ?? [];
      const added = others.filter((endpoint) => !this.owns(endpoint));
      this.#state.endpoints = [...this.#state.endpoints, ...added];
    } catch {
      // Whatever it is, it is replaced.
    }
    if (!this.#isEmpty) this.#rewrite();
  }

  get #isEmpty(): boolean {
    const { endpoints, commanded, limits, capacity, pathManager } = this.#state;
    return endpoints.length + commanded.length === 0 && (limits ?? capacity ?? pathManager) === undefined;
  }

  #change(
    list: EndpointList,
    isDropped: (own: Endpoint) => boolean,
    recorded: readonly Endpoint[] = [],
  ): void {
    const next: Endpoint[] = [];
    const dropped: Endpoint[] = [];
    for (const own of this.#state[list]) {
      if (isDropped(own)) dropped.push(own);
      else next.push(own);
    }
    if (dropped.length + recorded.length === 0) return;
    next.push(...recorded);
    this.#state[list] = next;
    if (!this.#readOnly) this.#store.append(endpointsLine(list, dropped, recorded));
  }

  #append(change: LedgerChange): void {
    if (!this.#readOnly) this.#store.append(changeLine(change));
  }

  #rewrite(): void {
    if (!this.#readOnly) this.#store.rewrite();
  }

  #read(): LedgerState | undefined {
    const text = readStateFile(this.#file);
    return text === undefined ? undefined : readLedger(text, this.#bootId);
  }
}

/** For programs that end when it fails: changes throw StateWriteError. */
const writeAtOnce: OpenLedgerStore = (file, wholeText) => {
  const journal = new Journal(file, wholeText);
  return {
    append: (line) => {
      if (!journal.append(line)) journal.rewrite();
    },
    rewrite: () => void journal.rewrite(),
  };
};
