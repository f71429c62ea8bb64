import { unmapped } from "../../kernel/netlink/ip.ts";
import type { SocketAddress } from "./connection.ts";

interface Ends {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
}

type Given = Pick<SocketAddress, "address"> & { readonly port?: number | undefined };

/**
 * The subflow that the kernel would be asked for by these ends: by those that people see, or by those that the kernel knows
 * where its socket is a dual-stack one, with IPv4 addresses as ::ffff:10.0.0.1.
 */
export function findSubflow<T extends Ends>(
  subflows: readonly T[],
  local: Given,
  remote: Given,
): T | undefined {
  return subflows.find((subflow) => isAt(subflow.local, local) && isAt(subflow.remote, remote));
}

function isAt(end: SocketAddress, { address, port }: Given): boolean {
  return end.address === unmapped(address) && end.port === port;
}
