import { existsSync, rmSync } from "node:fs";
import * as v from "valibot";
import { signalLockHolder } from "../kernel/lock-holder.ts";
import type { Endpoint } from "../kernel/mptcp-pm.ts";
import { Ledger } from "./ledger.ts";
import { endpointSchema, plainEndpoint, readJson, writeJson } from "./ledger-file.ts";
import type { NamespaceIdentity } from "./namespace.ts";
import { NamespaceLock, namespaceFile, prepareRuntimeDirectory } from "./namespace.ts";

const requestSchema = v.object({ bootId: v.string(), endpoints: v.array(endpointSchema) });

export interface AdoptionRequest {
  /** Whether the endpoints are in the ledger: the daemon has taken them, or has ended and we did it in its place. */
  isDone(): boolean;
  /** Has the daemon look now; by itself it does every 30 s. @returns its pid, if it could be told */
  wake(): number | undefined;
}

/**
 * Hands endpoints that somebody else made to the ledger of a namespace. A running daemon owns its ledger; it
 * finds the request when it next reads the kernel, which SIGUSR1 makes it do.
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
  writeJson(file, { bootId: namespace.bootId, endpoints: endpoints.map(plainEndpoint) });
  return {
    isDone() {
      if (!existsSync(file)) return true;
      if (!recordThem(directory, namespace, endpoints)) return false;
      rmSync(file, { force: true });
      return true;
    },
    wake: () => signalLockHolder(namespaceFile(directory, namespace, "lock"), "SIGUSR1"),
  };
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

/** The daemon's part: the endpoints that it was asked to take over since the last call. */
export function collectAdoptions(directory: string, namespace: NamespaceIdentity): readonly Endpoint[] {
  const file = requestFile(directory, namespace);
  if (!existsSync(file)) return [];
  try {
    const request = readJson(file, requestSchema);
    return request?.bootId === namespace.bootId ? request.endpoints : [];
  } finally {
    rmSync(file, { force: true });
  }
}

function requestFile(directory: string, namespace: NamespaceIdentity): string {
  return namespaceFile(directory, namespace, "adopt.json");
}
