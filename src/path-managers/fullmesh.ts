import {
  type Connection,
  definePathManager,
  type LocalAddress,
  logRefusal,
  option,
  type SocketAddress,
} from "mptcpd";
import * as v from "valibot";

/**
 * A subflow from every address of this host to every address of the peer: the one that the connection began with, and all
 * that it announces. Who made the connection makes the subflows, as the other side is often behind a NAT; who accepted it
 * announces its addresses.
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
    function mesh(connection: Connection): void {
      if (!isManaged(connection) || connection.serverSide !== false) return;
      // Each of our addresses gets a subflow before any gets two: the limit shall not leave a link without one.
      for (const to of targetsOf(connection))
        for (const from of pm.network.addresses) {
          if (connection.subflows.length >= pm.options.subflows) return;
          if (isOfOneFamily(from, to) && !isThere(connection, from, to)) connect(connection, from, to);
        }
    }

    function connect(connection: Connection, from: LocalAddress, to: SocketAddress): void {
      const backup = from.flags.has("backup");
      pm.createSubflow(connection, { from, to, backup }).catch(logRefusal(pm));
    }

    function announce(connection: Connection, address: LocalAddress): void {
      if (!isManaged(connection) || connection.serverSide !== true || !pm.options.announce) return;
      // The peer knows the first one.
      if (address.address === connection.local.address) return;
      pm.announce(connection, { address }).catch(logRefusal(pm));
    }

    return {
      connectionEstablished(connection) {
        mesh(connection);
        for (const address of pm.network.addresses) announce(connection, address);
      },
      newAddress: mesh,
      newLocalAddress(address) {
        for (const connection of pm.connections) {
          mesh(connection);
          announce(connection, address);
        }
      },
    };
  },
});

/** Not a connection that the kernel's own path manager has: it takes no commands. */
function isManaged({ state, pathManager }: Connection): boolean {
  return state === "established" && pathManager !== "kernel";
}

function targetsOf({ remote, denyJoinId0, announced }: Connection): SocketAddress[] {
  return denyJoinId0 === true ? [...announced] : [remote, ...announced];
}

function isOfOneFamily(from: LocalAddress, to: SocketAddress): boolean {
  return (from.family === 6) === to.address.includes(":");
}

function isThere({ subflows }: Connection, from: LocalAddress, to: SocketAddress): boolean {
  return subflows.some(
    ({ local, remote }) =>
      local.address === from.address && remote.address === to.address && remote.port === to.port,
  );
}
