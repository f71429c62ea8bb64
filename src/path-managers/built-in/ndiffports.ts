import { definePathManager, option } from "mptcpd";
import * as v from "valibot";

/**
 * Several subflows on the path that the connection began on, told apart by their ports: for networks that spread flows
 * over parallel links by a hash of addresses and ports (ECMP).
 */
export default definePathManager({
  name: "ndiffports",
  description: "several subflows on the same path, with different ports",
  options: v.object({
    /** On that path, the initial one included. */
    subflows: v.optional(option.integer(1, 255), "2"),
  }),
  setup: (pm) => ({
    async connectionEstablished(connection) {
      const { serverSide, denyJoinId0, local, remote } = connection;
      // Who accepted the connection leaves it to the other side; a peer may not want more of what is its first address.
      if (serverSide !== false || denyJoinId0 === true) return;
      const there = connection.subflows.filter(
        (one) =>
          one.local.address === local.address &&
          one.remote.address === remote.address &&
          one.remote.port === remote.port,
      );
      const made = Array.from({ length: Math.max(pm.options.subflows - there.length, 0) }, () =>
        pm.createSubflow(connection, { from: local.address, to: remote }),
      );
      await Promise.all(made);
    },
  }),
});
