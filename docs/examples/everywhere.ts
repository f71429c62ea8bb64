import { definePathManager } from "mptcpd";

export default definePathManager({
  name: "everywhere",
  description: "a subflow from every interface with a way out",
  setup: (pm) => ({
    async connectionEstablished(connection) {
      // What this host has accepted is for the other one to extend.
      if (connection.serverSide !== false) return;
      const unused = pm.network.uplinks.filter((uplink) => !connection.uses(uplink));
      await Promise.all(unused.map((uplink) => pm.createSubflow(connection, { from: uplink })));
    },
  }),
});
