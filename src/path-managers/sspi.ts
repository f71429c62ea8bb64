import { type Connection, definePathManager, type NetworkInterface, type Subflow } from "mptcpd";

/**
 * A single subflow on each interface. Who made the connection adds one from every other interface; who accepted it announces
 * an address of each. A further subflow on an interface that has one is ended at once, whoever made it.
 */
export default definePathManager({
  name: "sspi",
  description: "a single subflow per interface",
  setup(pm) {
    const interfaceOf = (subflow: Subflow): NetworkInterface | undefined =>
      pm.network.uplinks.find(
        ({ index, addresses }) =>
          index === subflow.ifIndex || addresses.some(({ address }) => address === subflow.local.address),
      );

    /** Uses an interface that has no subflow of the connection yet. */
    async function use(connection: Connection, uplink: NetworkInterface): Promise<void> {
      if (connection.state !== "established" || connection.uses(uplink)) return;
      if (connection.serverSide === false) await pm.createSubflow(connection, { from: uplink });
      else if (connection.serverSide === true) {
        const [address] = uplink.addresses;
        if (address !== undefined) await pm.announce(connection, { address });
      }
    }

    return {
      connectionEstablished: (connection) =>
        Promise.all(pm.network.uplinks.map((uplink) => use(connection, uplink))),
      newLocalAddress: (_, uplink) =>
        Promise.all(Array.from(pm.connections, (connection) => use(connection, uplink))),
      async newSubflow(connection, subflow) {
        const uplink = interfaceOf(subflow);
        const isUsed = connection.subflows.some(
          (other) => other !== subflow && other.state === "established" && interfaceOf(other) === uplink,
        );
        if (uplink !== undefined && isUsed) await pm.destroySubflow(connection, subflow);
      },
    };
  },
});
