import * as v from "valibot";
import { messageOf } from "../../base/errors.ts";
import { isThere } from "../../base/files.ts";
import type { Logger } from "../../base/log/log.ts";
import { prepareRuntimeDirectory, removeStateFile, replaceStateFile } from "../../base/runtime-directory.ts";
import { signalLockHolder } from "../../kernel/file-lock.ts";
import type { Endpoint } from "../../kernel/mptcp-pm.ts";
import { endpointSchema, plainEndpoint } from "./endpoint-record.ts";
import { Ledger } from "./ledger.ts";
import { type NamespaceIdentity, NamespaceLock, namespaceFile } from "./namespace.ts";
import { readJson } from "./state-file.ts";

const requestSchema = v.object({ bootId: v.string(), endpoints: v.array(endpointSchema) });

export interface AdoptionRequest {
  /** Whether the endpoints are in the ledger. The daemon entered them, or it has ended and this process did. */
  isDone(): boolean;
  /** Makes the daemon look now; by itself it looks every 30 s. @returns its pid, if the signal reached it */
  wake(): number | undefined;
}

export interface AdoptionsOptions {
  readonly directory: string;
  readonly namespace: NamespaceIdentity;
  readonly ledger: Ledger;
  readonly log: Logger;
}

/**
 * Enters endpoints that somebody else made in the ledger of a namespace. A running daemon owns its ledger: it finds the
 * request when it next reads the kernel, and SIGUSR1 makes it read now.
 *
 * @throws the file system's error when the runtime directory cannot be written
 */
export function requestAdoption(
  directory: string,
  namespace: NamespaceIdentity,
  endpoints: readonly Endpoint[],
): AdoptionRequest {
  prepareRuntimeDirectory(directory);
  if (recordThem(directory, namespace, endpoints)) return { isDone: () => true, wake: () => undefined };
  const file = requestFile(directory, namespace);
  replaceStateFile(
    file,
    JSON.stringify({ bootId: namespace.bootId, endpoints: endpoints.map(plainEndpoint) }),
  );
  return {
    isDone() {
      if (!isThere(file)) return true;
      if (!recordThem(directory, namespace, endpoints)) return false;
      removeStateFile(file);
      return true;
    },
    wake: () => signalLockHolder(namespaceFile(directory, namespace, "lock"), "SIGUSR1"),
  };
}

/** The daemon's part: takes over the endpoints that it is asked to. */
export class Adoptions {
  readonly #options: AdoptionsOptions;
  #problem = "";

  constructor(options: AdoptionsOptions) {
    this.#options = options;
  }

  /** Enters the endpoints requested since the last call in the ledger. Logs an unusable request once. */
  collect(): void {
    const { directory, namespace, ledger, log } = this.#options;
    const file = requestFile(directory, namespace);
    const problems: string[] = [];
    try {
      const asked = readJson(file, requestSchema);
      const endpoints = asked?.bootId === namespace.bootId ? asked.endpoints : [];
      // A request that could not be removed is read again.
      for (const endpoint of endpoints.filter((one) => !ledger.owns(one))) {
        ledger.record(endpoint);
        log.notice(`endpoint ${endpoint.id} ${endpoint.address}: adopted`);
      }
    } catch (error) {
      problems.push(`a request to adopt endpoints cannot be read: ${messageOf(error)}`);
    }
    try {
      if (isThere(file)) removeStateFile(file);
    } catch (error) {
      problems.push(`${messageOf(error)}; mptcpctl adopt does not work until it is gone`);
    }
    this.#say(problems.join("; "));
  }

  #say(problem: string): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    if (problem === "") this.#options.log.notice("requests to adopt endpoints can be read again");
    else this.#options.log.warning(problem);
  }
}

/** @returns false if another process has the ledger */
function recordThem(
  directory: string,
  namespace: NamespaceIdentity,
  endpoints: readonly Endpoint[],
): boolean {
  const lock = NamespaceLock.acquire(directory, namespace);
  if (!(lock instanceof NamespaceLock)) return false;
  try {
    const ledger = new Ledger({ directory, namespace, warn: () => undefined });
    for (const endpoint of endpoints) ledger.record(endpoint);
  } finally {
    lock.release();
  }
  return true;
}

function requestFile(directory: string, namespace: NamespaceIdentity): string {
  return namespaceFile(directory, namespace, "adopt.json");
}
