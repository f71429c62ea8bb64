/** What `import … from "mptcpd/testing"` gives: path managers on a simulated host, in virtual time. */
export type { PeerAnswer } from "../simulation/kernel.ts";
export type { SimulatedInterface } from "../simulation/network.ts";
export type { SimulatedPeer } from "../simulation/peer.ts";
export {
  type CommandGiven,
  type Simulation,
  type SimulationSetting,
  simulate,
} from "../simulation/simulation.ts";
export type { GivenCommand } from "../simulation/watched-kernel.ts";
