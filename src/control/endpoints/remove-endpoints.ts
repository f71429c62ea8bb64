import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log/log.ts";
import type { Endpoint } from "../../kernel/mptcp-pm.ts";
import { describeEndpoint } from "./endpoint-record.ts";
import { explainFailure } from "./outcomes.ts";

/** The effect on connections of deleting an address's endpoint. */
export interface AddressLoad {
  /** Connections that have no subflow from another address. */
  readonly only: number;
  /** Connections that began on it. */
  readonly initial: number;
}

export interface RemovalOptions {
  readonly log: Logger;
  readonly interfaceName: (ifIndex: number) => string;
  /** By local address. */
  readonly loads: () => Promise<ReadonlyMap<string, AddressLoad>>;
  /** Rejects where the kernel refuses. */
  readonly deleteEndpoint: (endpoint: Endpoint) => Promise<void>;
}

/**
 * Deletes endpoints when mptcpd stops. An endpoint that carries all subflows of a connection stays, and the log names
 * it: deleting it would cut the connection. Endpoints on which the fewest connections began are deleted first, so that
 * the best subflows last longest.
 *
 * @returns why some endpoints could not be deleted
 */
export async function removeEndpoints(
  endpoints: readonly Endpoint[],
  options: RemovalOptions,
): Promise<string[]> {
  const { log, interfaceName, loads, deleteEndpoint } = options;
  const named = (endpoint: Endpoint): string => describeEndpoint(endpoint, interfaceName(endpoint.ifIndex));
  const problems: string[] = [];
  const left = new Set(endpoints);
  while (left.size > 0) {
    let load: ReadonlyMap<string, AddressLoad>;
    try {
      // Read before each deletion: the other subflow of a connection may have gone with the last deletion.
      load = await loads();
    } catch (error) {
      const why = `it may carry the only subflow of a connection (${messageOf(error)})`;
      problems.push(...[...left].map((endpoint) => `${named(endpoint)} is left: ${why}`));
      break;
    }
    const next = [...left].reduce((best, one) => (cost(load, one) < cost(load, best) ? one : best));
    left.delete(next);
    const { only = 0 } = load.get(next.address) ?? {};
    if (only > 0) {
      const whose = only === 1 ? "a connection" : `${only} connections`;
      log.warning(
        `${named(next)}: left in place, it carries the only subflow of ${whose}; ` +
          `\`ip mptcp endpoint delete id ${next.id}\` removes it`,
        { ENDPOINT_ID: next.id, ADDRESS: next.address, INTERFACE: interfaceName(next.ifIndex) },
      );
      continue;
    }
    try {
      await deleteEndpoint(next);
    } catch (error) {
      problems.push(explainFailure(`delete ${named(next)}`, error).message);
    }
  }
  return problems;
}

/** Endpoints that stay come last, so that they do not delay the others. */
function cost(load: ReadonlyMap<string, AddressLoad>, { address }: Endpoint): number {
  const { only = 0, initial = 0 } = load.get(address) ?? {};
  return only > 0 ? Number.POSITIVE_INFINITY : initial;
}
