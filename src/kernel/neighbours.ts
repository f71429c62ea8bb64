import { neighbourMessage } from "./messages/codecs.ts";
import { body, type NetlinkConnection } from "./netlink/connection.ts";
import type { NetlinkMessage } from "./netlink/wire.ts";
import { RTM_GETNEIGH, RTM_NEWNEIGH } from "./rtnetlink.ts";
import { AF_UNSPEC } from "./socket-numbers.ts";

/** NUD_INCOMPLETE: the kernel has asked for the link address, and nobody has answered yet. */
const INCOMPLETE = 0x01;

/** The interfaces on which the kernel looks for the link address of a neighbour (ARP, RFC 4861) at the moment. */
export async function resolvingInterfaces(connection: NetlinkConnection): Promise<ReadonlySet<number>> {
  const request = body(neighbourMessage, { family: AF_UNSPEC });
  const { items } = await connection.dump(
    { what: "list neighbours", type: RTM_GETNEIGH, body: request },
    readResolving,
  );
  return new Set(items);
}

function readResolving(read: NetlinkMessage): number | undefined {
  if (read.type !== RTM_NEWNEIGH) return undefined;
  const { ifIndex, state } = neighbourMessage.decode(read);
  return (state & INCOMPLETE) === 0 ? undefined : ifIndex;
}
