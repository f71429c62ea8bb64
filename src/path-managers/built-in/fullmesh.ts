import {
  type Connection,
  type CreateSubflowOptions,
  definePathManager,
  ipFamily,
  keepSubflows,
  type LocalAddress,
  logRefusal,
  option,
  type SocketAddress,
  takesCommands,
} from "mptcpd";
import * as v from "valibot";

/**
 * A subflow from every address of this host to every address of the peer: the one that the connection began with, and
 * all that it announces. Who made the connection makes the subflows, as the other side is often behind a NAT; who
 * accepted it announces its addresses.
 */
export default definePathManager({
  name: "fullmesh",
  description: "a subflow from every address to every address of the peer",
  options: v.object({
    /** Of a connection, the initial one included. */
    subflows: v.optional(option.integer(1, 255), "8"),
    /** Whether a server tells its clients of its other addresses. */
    announce: v.optional(option.yesOrNo, "yes"),
  }),
  setup(pm) {
    /** Each of our addresses gets a subflow before any gets two: the limit shall not leave a link without one. */
    const mesh = (connection: Connection): CreateSubflowOptions[] =>
      targetsOf(connection).flatMap((to) =>
        pm.network.addresses
          .filter(({ family }) => family === ipFamily(to.address) && connection.families.includes(family))
          .map((from) => ({ from, to, backup: from.flags.has("backup") })),
      );

    function announce(connection: Connection, address: LocalAddress): void {
      if (!takesCommands(connection) || connection.serverSide !== true || !pm.options.announce) return;
      // The peer knows the first one.
      if (address.address === connection.local.address) return;
      pm.announce(connection, { address }).catch(logRefusal(pm));
    }

    const kept = keepSubflows(pm, { wanted: mesh, most: pm.options.subflows });
    return {
      ...kept,
      connectionEstablished(connection) {
        kept.connectionEstablished(connection);
        for (const address of pm.network.addresses) announce(connection, address);
      },
      newLocalAddress(address, uplink) {
        kept.newLocalAddress(address, uplink);
        for (const connection of pm.connections) announce(connection, address);
      },
    };
  },
});

function targetsOf({ remote, denyJoinId0, announced }: Connection): SocketAddress[] {
  return denyJoinId0 === true ? [...announced] : [remote, ...announced];
}
