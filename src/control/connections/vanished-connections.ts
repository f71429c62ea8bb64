import type { MptcpPm } from "../../kernel/mptcp-pm.ts";
import { refusalOf } from "../../kernel/mptcp-pm-refusals.ts";

/** Commands for connections of the kernel's userspace path manager. */
export type ConnectionKernel = Pick<
  MptcpPm,
  "announce" | "remove" | "createSubflow" | "destroySubflow" | "setSubflowFlags" | "dumpEndpoints"
>;

/** The same commands; `onVanished` is called when the kernel has no more the connection that one is for, of which it tells nobody. */
export function watchForVanished(kernel: ConnectionKernel, onVanished: () => void): ConnectionKernel {
  const watched =
    <Given, Result>(command: (given: Given) => Promise<Result>) =>
    async (given: Given): Promise<Result> => {
      try {
        return await command(given);
      } catch (error) {
        if (refusalOf(error) === "no-such-connection") onVanished();
        throw error;
      }
    };
  return {
    announce: watched((given) => kernel.announce(given)),
    remove: watched((given) => kernel.remove(given)),
    createSubflow: watched((given) => kernel.createSubflow(given)),
    destroySubflow: watched((given) => kernel.destroySubflow(given)),
    setSubflowFlags: watched((given) => kernel.setSubflowFlags(given)),
    dumpEndpoints: watched((given) => kernel.dumpEndpoints(given)),
  };
}
