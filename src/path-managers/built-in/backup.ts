import {
  type Connection,
  definePathManager,
  keepSubflows,
  logRefusal,
  matchesGlob,
  type NetworkInterface,
  option,
  type Subflow,
} from "mptcpd";
import * as v from "valibot";

/**
 * One interface at a time: the first of an order of preference that works carries the traffic, the others stand by as
 * backup. When it fails the next takes over, and it gets its place back when it returns.
 */
export default definePathManager({
  name: "backup",
  description: "the first interface is used, the others are backup",
  options: v.object({
    /** Globs over names of interfaces, the preferred first; those that none fits come last, by [path] priority. */
    interfaces: v.optional(option.interfaceGlobs),
  }),
  setup(pm) {
    const { interfaces: globs = [] } = pm.options;
    /** Subflows of which it is not known yet what they are. */
    const changing = new WeakSet<Subflow>();
    const rankOf = ({ name }: NetworkInterface): number => {
      const rank = globs.findIndex((glob) => matchesGlob(name, glob));
      return rank < 0 ? globs.length : rank;
    };
    // Uplinks come by priority, and sorting keeps the order of equals.
    const uplinks = (): NetworkInterface[] => pm.network.uplinks.toSorted((a, b) => rankOf(a) - rankOf(b));

    /** All subflows but those of the best interface that has one are backup. */
    function arrange(connection: Connection): void {
      const best = uplinks().find((uplink) =>
        connection.subflows.some((subflow) => carries(subflow, uplink)),
      );
      if (best === undefined) return;
      for (const subflow of connection.subflows) {
        const backup = !carries(subflow, best);
        if (subflow.state === "established" && subflow.localBackup !== backup && !changing.has(subflow))
          change(connection, subflow, backup);
      }
    }

    function change(connection: Connection, subflow: Subflow, backup: boolean): void {
      const done = (): void => {
        changing.delete(subflow);
        pm.log.info(`${subflow.local.address} is ${backup ? "backup" : "used"} from now on`);
        // What was best may be so no more.
        arrange(connection);
      };
      const refused = (error: Error): void => {
        changing.delete(subflow);
        logRefusal(pm)(error);
      };
      changing.add(subflow);
      pm.setBackup(connection, subflow, backup).then(done, refused);
    }

    return keepSubflows(pm, {
      // A subflow on each interface.
      wanted: () => uplinks().map((from, rank) => ({ from, backup: rank > 0 })),
      changed: arrange,
    });
  },
});

/** Whether a subflow is established and leaves by an interface that works. */
function carries({ state, local }: Subflow, { addresses }: NetworkInterface): boolean {
  return state === "established" && addresses.some(({ address }) => address === local.address);
}
