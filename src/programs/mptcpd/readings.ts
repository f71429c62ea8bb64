/** What is read from the kernel now and then, each time by a socket of its own. */
import { addressLoads } from "../../control/connections/from-sock-diag.ts";
import { resolvingInterfaces } from "../../kernel/neighbours.ts";
import { openRtnetlink } from "../../kernel/rtnetlink.ts";
import { Sockets } from "../../kernel/sockets.ts";

/** What connections would lose with each local address. */
export async function readAddressLoads() {
  const sockets = Sockets.open();
  try {
    return addressLoads(await sockets.dumpOutlines());
  } finally {
    sockets.close();
  }
}

/** The interfaces on which the kernel looks for a neighbour. */
export async function readResolving() {
  const connection = openRtnetlink();
  try {
    return await resolvingInterfaces(connection);
  } finally {
    connection.close();
  }
}
