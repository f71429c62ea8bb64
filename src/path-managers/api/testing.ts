/** What `import … from "mptcpd/testing"` gives: path managers on a simulated host, in virtual time. */
export type { SimulatedEndpoints } from "../simulation/endpoints.ts";
export type { PeerAnswer } from "../simulation/kernel.ts";
export type { SimulatedInterface } from "../simulation/network.ts";
export type { SimulatedPeer } from "../simulation/peer.ts";
export type { SimulationSetting } from "../simulation/setting.ts";
export { type Simulation, simulate } from "../simulation/simulation.ts";
export type { CommandGiven, GivenCommand } from "../simulation/watched-kernel.ts";
