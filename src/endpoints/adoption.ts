import { existsSync, rmSync } from "node:fs";
import * as v from "valibot";
import type { Endpoint } from "../kernel/mptcp-pm.ts";
import { Ledger } from "./ledger.ts";
import { endpointSchema, plainEndpoint, readJson, writeJson } from "./ledger-file.ts";
import type { NamespaceIdentity } from "./namespace.ts";
import { NamespaceLock, namespaceFile, prepareRuntimeDirectory } from "./namespace.ts";

const requestSchema = v.object({ bootId: v.string(), endpoints: v.array(endpointSchema) });

export interface AdoptionRequest {
  /** The daemon that is to take the endpoints over; undefined: none runs, they are in its ledger already. */
  readonly daemon: number | undefined;
  /** Whether the daemon has taken them. */
  isDone(): boolean;
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
  const file = requestFile(directory, namespace);
  /** @returns who has the lock; undefined: nobody had, and the endpoints are in the ledger */
  const recordHere = (): { readonly holder?: number } | undefined => {
    const lock = NamespaceLock.acquire(directory, namespace);
    if (!(lock instanceof NamespaceLock)) return lock;
    try {
      const ledger = new Ledger({ directory, namespace, warn: () => undefined });
      for (const endpoint of endpoints) ledger.record(endpoint);
    } finally {
      lock.release();
    }
    return undefined;
  };
  const busy = recordHere();
  if (busy === undefined) return { daemon: undefined, isDone: () => true };
  writeJson(file, { bootId: namespace.bootId, endpoints: endpoints.map(plainEndpoint) });
  const isDone = (): boolean => {
    if (!existsSync(file)) return true;
    // The holder has ended meanwhile, or was another `mptcpctl adopt`.
    if (recordHere() !== undefined) return false;
    rmSync(file, { force: true });
    return true;
  };
  return { daemon: busy.holder, isDone };
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
