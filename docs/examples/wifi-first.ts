import { type Connection, definePathManager, matchesGlob, type NetworkInterface, option } from "mptcpd";
import * as v from "valibot";

export default definePathManager({
  name: "wifi-first",
  description: "a subflow from every uplink, all but those of the Wi-Fi as backup",
  options: v.object({
    /** Which interfaces are the Wi-Fi. */
    wifi: v.optional(option.globs, "wl*"),
  }),
  setup(pm) {
    const isWifi = ({ name }: NetworkInterface) => pm.options.wifi.some((glob) => matchesGlob(name, glob));

    async function use(connection: Connection, uplink: NetworkInterface): Promise<void> {
      if (connection.state !== "established" || connection.serverSide !== false) return;
      if (connection.uses(uplink)) return;
      const { local } = await pm.createSubflow(connection, { from: uplink, backup: !isWifi(uplink) });
      pm.log.info(`uses ${local.address} on ${uplink.name}`);
    }

    return {
      connectionEstablished: (connection) =>
        Promise.all(pm.network.uplinks.map((uplink) => use(connection, uplink))),
      newLocalAddress: (_, uplink) =>
        Promise.all(Array.from(pm.connections, (connection) => use(connection, uplink))),
    };
  },
});
