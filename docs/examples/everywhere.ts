import { definePathManager } from "mptcpd";

export default definePathManager({
  name: "everywhere",
  description: "a subflow from every interface with a way out",
  setup: (pm) => ({
    async connectionEstablished(connection) {
      // The peer extends connections that this host has accepted.
      if (connection.serverSide !== false) return;
      const unused = pm.network.uplinks.filter((uplink) => !connection.uses(uplink));
      await Promise.all(unused.map((uplink) => pm.createSubflow(connection, { from: uplink })));
    },
  }),
});
