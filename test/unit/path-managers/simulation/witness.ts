import {
  definePathManager,
  type Handlers,
  type PathManager,
} from "../../../../src/path-managers/runtime/api.ts";
import type { SimulatedPeer } from "../../../../src/path-managers/simulation/peer.ts";
import type { Simulation } from "../../../../src/path-managers/simulation/simulation.ts";

export const interfaces = { eth0: ["10.0.1.2"], eth1: ["10.0.2.2", "fd00:2::2"] };

/** A path manager that writes down what it is told. */
export function witness(more: (pm: PathManager) => Handlers = () => ({})) {
  const told: string[] = [];
  const definition = definePathManager({
    name: "witness",
    setup: (pm) => ({
      connectionEstablished: ({ local }) => told.push(`established ${local.address}`),
      connectionClosed: ({ local }) => told.push(`closed ${local.address}`),
      newSubflow: (_, { local }) => told.push(`subflow ${local.address}`),
      subflowClosed: (_, { local }, { code = "in order" }) => told.push(`lost ${local.address} ${code}`),
      newAddress: (_, { address, port }) => told.push(`announced ${address} ${port}`),
      addressRemoved: (_, { address }) => told.push(`withdrawn ${address}`),
      subflowPriority: (_, { local, backup }) => told.push(`backup ${local.address} ${backup}`),
      newLocalAddress: ({ address }) => told.push(`can use ${address}`),
      deleteLocalAddress: ({ address }) => told.push(`cannot use ${address}`),
      ...more(pm),
    }),
  });
  return { definition, told };
}

/** Adds a subflow from eth1 to each connection. */
export const adding = (pm: PathManager): Handlers => ({
  connectionEstablished: (connection) => pm.createSubflow(connection, { from: "10.0.2.2" }),
});

export function oneConnection(simulation: Simulation): SimulatedPeer {
  return simulation.connect({ from: "10.0.1.2", to: "10.0.9.9" });
}
