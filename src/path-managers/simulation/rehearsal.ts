import type { Network } from "../../control/network/network.ts";
import type { PolicyConfig } from "../../control/policy/host-addresses.ts";
import type { Endpoint, Limits } from "../../kernel/mptcp-pm.ts";
import { viewNetwork } from "../runtime/network-view.ts";
import type { HandlerWatch, LoadedPathManager } from "../runtime/running-path-manager.ts";
import { passTimeUntil, VirtualClock } from "./clock.ts";
import { SimulatedDesk } from "./endpoint-desk.ts";
import { SimulatedKernel } from "./kernel.ts";
import { RecordedNetwork } from "./network.ts";
import { SimulatedMemory, simulatedRuntime } from "./runtime.ts";

/** The host on which path managers are to begin. */
export interface Stage {
  readonly network: Network;
  readonly endpoints: readonly Endpoint[];
  /** Undefined: those of a kernel that nobody has told any. */
  readonly limits: Limits | undefined;
  readonly policy: PolicyConfig;
  /** Milliseconds. */
  readonly removalDelay: number;
  readonly watch: HandlerWatch;
}

/**
 * Sets path managers up on a simulated copy of a host without connections, each on one of its own. Nothing that they do
 * to the host by way of their API is real.
 *
 * @returns "NAME: setup failed: why" for each that could not be set up
 */
export async function rehearse(
  plugins: readonly LoadedPathManager[],
  stage: Stage,
): Promise<readonly string[]> {
  return (await Promise.all(plugins.map((plugin) => rehearseOne(plugin, stage)))).flat();
}

async function rehearseOne(plugin: LoadedPathManager, stage: Stage): Promise<readonly string[]> {
  const clock = new VirtualClock();
  const network = new RecordedNetwork();
  network.network = stage.network;
  const kernel = new SimulatedKernel(clock, network);
  const desk = new SimulatedDesk(kernel);
  await equip(kernel, desk, stage);
  const runtime = simulatedRuntime({
    ...{ kernel, commands: kernel, endpoints: desk, clock, plugin, watch: stage.watch },
    removalDelay: stage.removalDelay,
    network: () => viewNetwork(stage.network, stage.policy),
    remember: (connections) => new SimulatedMemory().of(connections),
    listen: (_, port) => ({ port: port || kernel.freePort(), close: () => undefined }),
    onLog: () => undefined,
    onFault: () => undefined,
  });
  try {
    return await passTimeUntil(clock, runtime.takeOver());
  } finally {
    runtime.close();
  }
}

/** Gives the simulated kernel what the real one has, as mptcpd's. It may take less, which then is missing. */
async function equip(
  { endpoints: simulated }: SimulatedKernel,
  desk: SimulatedDesk,
  { endpoints, limits }: Stage,
): Promise<void> {
  const ignore = (): undefined => undefined;
  for (const endpoint of endpoints)
    await simulated
      .addEndpoint(endpoint)
      .then(() => desk.adopt(endpoint.id))
      .catch(ignore);
  if (limits !== undefined) await simulated.setLimits(limits).catch(ignore);
}
