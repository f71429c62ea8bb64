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
  /** Called for a file that makes no sense. The endpoints that it recorded count as foreign. */
  readonly warn: (message: string) => void;
  /** Changes are not written: for programs that only read. */
  readonly readOnly?: boolean;
  /** How its file is written; by default a change that cannot be written throws StateWriteError. */
  readonly store?: OpenLedgerStore;
}

/** Where the ledger is kept. */
export interface LedgerStore {
  /** Adds the line of a change. */
  append(line: string): void;
  /** Rewrites the file. */
  rewrite(): void;
}

/** @param wholeText gives the whole text that the file should have now */
export type OpenLedgerStore = (file: string, wholeText: () => string) => LedgerStore;

/**
 * The record of which parts of the kernel's state are ours. It is written before the command goes out: so a daemon that
 * dies at any moment finds its endpoints again, and never mistakes another program's endpoints for its own. There is
 * one file per network namespace, with a line for the whole state and a line for each change since. Only the holder of
 * the namespace's lock writes it.
 *
 * If the file cannot be written, the daemon goes on: it also keeps the record in memory, and writes the file when it
 * can. If the daemon is killed before that, the next daemon takes the endpoints for somebody else's.
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

  /** Whether an endpoint of the kernel is ours: id, address, port, interface and flags are as we recorded them. */
  owns(endpoint: Endpoint): boolean {
    for (const own of this.#state.endpoints) if (isSameRecord(own, endpoint)) return true;
    return false;
  }

  /**
   * Whether a command of a path manager added an endpoint. The policy does not decide about such endpoints: they stay
   * until a path manager removes them.
   */
  isCommanded(endpoint: Endpoint): boolean {
    return this.#state.commanded.some((own) => isSameRecord(own, endpoint));
  }

  /**
   * Call this before a path manager's command that creates the endpoint, and after it with the endpoint as the kernel
   * made it. The kernel has one endpoint for an address and port.
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

  /** Call this before the command that creates the endpoint. */
  record(endpoint: Endpoint): void {
    this.#change("endpoints", (own) => isSameRecord(own, endpoint), [endpoint]);
  }

  /** Call this after the command that deletes the endpoint. */
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

  /** Writes the file again if somebody has removed it and it was not empty. */
  restore(): void {
    if (!this.#isEmpty && !isThere(this.#file)) this.#rewrite();
  }

  /**
   * Takes over the endpoints that another process recorded while this process did not hold the namespace's lock, and
   * rewrites the file.
   */
  absorb(): void {
    try {
      const others = this.#read()?.endpoints ?? [];
      const added = others.filter((endpoint) => !this.owns(endpoint));
      this.#state.endpoints = [...this.#state.endpoints, ...added];
    } catch {
      // The file makes no sense: replace it.
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
