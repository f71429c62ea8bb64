import { definePathManager } from "mptcpd";
import * as v from "valibot";

const number = v.pipe(v.string(), v.transform(Number));

/**
 * What is measured of path managers: counts connections, and adds a subflow to each if told where from; says when it
 * knows of as many as are expected. plugin.c is its twin.
 */
export default definePathManager({
  name: "bench",
  options: v.object({ from: v.optional(v.string()), expect: v.optional(number) }),
  setup(pm) {
    const { from, expect } = pm.options;
    let said = false;
    let created = 0;
    let closed = 0;
    let longestPause = 0;
    let last = pm.now();
    pm.every(10, () => {
      longestPause = Math.max(longestPause, pm.now() - last - 10);
      last = pm.now();
      if (said || expect === undefined || pm.connections.size < expect) return;
      said = true;
      pm.log.notice(`knows ${pm.connections.size}`);
    });
    pm.signal.addEventListener("abort", () => {
      const { size } = pm.connections;
      pm.log.notice(`created ${created} closed ${closed} left ${size} pause ${longestPause.toFixed(0)}`);
    });
    return {
      newConnection() {
        created++;
      },
      async connectionEstablished(connection) {
        if (from !== undefined && connection.serverSide === false)
          await pm.createSubflow(connection, { from });
      },
      connectionClosed() {
        closed++;
      },
    };
  },
});
