import {
  type Connection,
  definePathManager,
  ipFamily,
  keepSubflows,
  logRefusal,
  type NetworkInterface,
  type Subflow,
  takesCommands,
} from "mptcpd";

/**
 * A single subflow on each interface. Who made the connection adds one from every other interface; who accepted it
 * announces an address of each. A further subflow on an interface that has one is ended at once, whoever made it.
 */
export default definePathManager({
  name: "sspi",
  description: "a single subflow per interface",
  setup(pm) {
    const ending = new WeakSet<Subflow>();

    /**
     * The established subflows of an interface, but for those that are about to end. Those of addresses that it had do
     * not count.
     */
    const subflowsOn = ({ addresses }: NetworkInterface, { subflows }: Connection): Subflow[] =>
      subflows.filter(
        (subflow) =>
          subflow.state === "established" &&
          !ending.has(subflow) &&
          addresses.some(({ address }) => address === subflow.local.address),
      );

    /** All but the first on each interface. */
    function endFurther(connection: Connection): void {
      for (const uplink of pm.network.uplinks)
        for (const subflow of subflowsOn(uplink, connection).slice(1)) {
          ending.add(subflow);
          pm.destroySubflow(connection, subflow).catch(logRefusal(pm));
        }
    }

    /** Tells the peer of an interface that has no subflow of the connection yet. */
    async function announce(connection: Connection, uplink: NetworkInterface): Promise<void> {
      if (!takesCommands(connection) || connection.serverSide !== true) return;
      if (connection.uses(uplink)) return;
      const { addresses } = uplink;
      const address = addresses.find((one) => isOfOneFamily(one, connection.local)) ?? addresses[0];
      if (address !== undefined) await pm.announce(connection, { address });
    }

    const kept = keepSubflows(pm, {
      wanted: () => pm.network.uplinks.map((from) => ({ from })),
      changed: endFurther,
    });
    return {
      ...kept,
      connectionEstablished(connection) {
        kept.connectionEstablished(connection);
        return Promise.all(pm.network.uplinks.map((uplink) => announce(connection, uplink)));
      },
      newLocalAddress(address, uplink) {
        kept.newLocalAddress(address, uplink);
        return Promise.all(Array.from(pm.connections, (connection) => announce(connection, uplink)));
      },
    };
  },
});

function isOfOneFamily(one: { readonly address: string }, other: { readonly address: string }): boolean {
  return ipFamily(one.address) === ipFamily(other.address);
}
