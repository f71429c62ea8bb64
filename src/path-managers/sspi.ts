import { type Connection, definePathManager, type NetworkInterface, type Subflow } from "mptcpd";

/**
 * A single subflow on each interface. Who made the connection adds one from every other interface; who accepted it announces
 * an address of each. A further subflow on an interface that has one is ended at once, whoever made it.
 */
export default definePathManager({
  name: "sspi",
  description: "a single subflow per interface",
  setup(pm) {
    /** Those that are about to end do not count: else of two that come at once neither would stay. */
    const ending = new WeakSet<Subflow>();

    const interfaceOf = (subflow: Subflow): NetworkInterface | undefined =>
      pm.network.uplinks.find(
        ({ index, addresses }) =>
          index === subflow.ifIndex || addresses.some(({ address }) => address === subflow.local.address),
      );

    const isUnused = (connection: Connection, uplink: NetworkInterface): boolean =>
      connection.state === "established" && connection.pathManager !== "kernel" && !connection.uses(uplink);

    /** Uses an interface that has no subflow of the connection yet. */
    async function use(connection: Connection, uplink: NetworkInterface): Promise<void> {
      if (!isUnused(connection, uplink)) return;
      if (connection.serverSide === false) await pm.createSubflow(connection, { from: uplink });
      else if (connection.serverSide === true) {
        const { addresses } = uplink;
        const address = addresses.find((one) => isOfOneFamily(one, connection.local)) ?? addresses[0];
        if (address !== undefined) await pm.announce(connection, { address });
      }
    }

    return {
      connectionEstablished: (connection) =>
        Promise.all(pm.network.uplinks.map((uplink) => use(connection, uplink))),
      async newAddress(connection, to) {
        if (connection.serverSide !== false) return;
        for (const from of pm.network.uplinks)
          if (isUnused(connection, from) && from.addresses.some((one) => isOfOneFamily(one, to)))
            await pm.createSubflow(connection, { from, to });
      },
      newLocalAddress: (_, uplink) =>
        Promise.all(Array.from(pm.connections, (connection) => use(connection, uplink))),
      async newSubflow(connection, subflow) {
        const uplink = interfaceOf(subflow);
        const isSecond = connection.subflows.some(
          (other) =>
            other !== subflow &&
            other.state === "established" &&
            !ending.has(other) &&
            interfaceOf(other) === uplink,
        );
        if (uplink === undefined || !isSecond) return;
        ending.add(subflow);
        await pm.destroySubflow(connection, subflow);
      },
    };
  },
});

function isOfOneFamily(one: { readonly address: string }, other: { readonly address: string }): boolean {
  return one.address.includes(":") === other.address.includes(":");
}
