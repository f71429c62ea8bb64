/** An endpoint as it appears in logs, the ledger and requests; and how two endpoints are told apart. */
import * as v from "valibot";
import { type Endpoint, endpointFlags } from "../../kernel/mptcp-pm.ts";
import type { DesiredEndpoint } from "../policy/decision.ts";

const flags = v.pipe(
  v.number(),
  v.transform((value) => endpointFlags.from(value)),
);

/** An endpoint as it is written in ledgers and in requests to adopt. */
export const endpointSchema = v.object({
  id: v.number(),
  address: v.string(),
  port: v.number(),
  flags,
  ifIndex: v.number(),
});

export function plainEndpoint(endpoint: Endpoint): v.InferInput<typeof endpointSchema> {
  return { ...endpoint, flags: endpoint.flags.value };
}

/** "10.0.0.1 port 80 dev 3 subflow,backup": the format of `ip mptcp endpoint`, with the interface's name. */
export function describeEndpoint(
  endpoint: DesiredEndpoint & { readonly id?: number },
  interfaceName: string,
): string {
  const words = [endpoint.id ? `endpoint ${endpoint.id}` : "endpoint", endpoint.address];
  if (endpoint.port !== 0) words.push("port", String(endpoint.port));
  if (endpoint.ifIndex !== 0) words.push("dev", interfaceName);
  if (endpoint.flags.value !== 0) words.push(endpoint.flags.toString());
  return words.join(" ");
}

/** Whether two readings show the same endpoint. */
export function isSameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.id === b.id && isSamePlace(a, b);
}

/** Whether two records have the same address and port. The kernel has at most one endpoint for them. */
export function isSamePlace(
  own: Endpoint,
  { address, port = 0 }: { readonly address: string; readonly port?: number },
): boolean {
  return own.address === address && own.port === port;
}

/**
 * Flags that tell endpoints apart. Anybody may change `backup` and `fullmesh` in place, and kernels that do not know
 * `laminar` drop it.
 */
const lasting = ~endpointFlags.of("backup", "fullmesh", "laminar").value;

/** Whether two records are of the same endpoint; id 0 means that the kernel chooses the id. */
export function isSameRecord(a: Endpoint, b: Endpoint): boolean {
  return (
    (a.id === b.id || a.id === 0 || b.id === 0) &&
    isSamePlace(a, b) &&
    a.ifIndex === b.ifIndex &&
    (a.flags.value & lasting) === (b.flags.value & lasting)
  );
}
