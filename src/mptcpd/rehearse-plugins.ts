import type { PluginPlan } from "../plugins/sources.ts";
import { startWorker } from "../plugins/starting.ts";
import type { SupervisedInput } from "../plugins/supervisor.ts";
import { PluginWorker, type Prepared } from "../plugins/worker.ts";

/**
 * Loads plugins in a thread of their own, sets them up on a simulated copy of this host, and ends the thread. Programs are
 * not started.
 *
 * @throws PluginsRefusedError where the thread cannot start, a plugin cannot be loaded, or its setup throws
 */
export async function rehearsePlugins(given: {
  readonly plan: PluginPlan;
  readonly settings: SupervisedInput["settings"];
  readonly policy: SupervisedInput["policy"];
}): Promise<Prepared> {
  const { settings, policy } = given;
  const { sources, known } = given.plan;
  const checkpoint = { file: "/dev/null", bootId: "" };
  const nothingYet = { stopped: [], faults: new Map(), debug: false };
  const input = { sources, known, settings, policy, checkpoint, ...nothingYet, rehearsal: true };
  const ignored = { message: () => undefined, failed: () => undefined };
  const { worker, prepared } = await startWorker(input, (input) => new PluginWorker(input, ignored));
  await worker.stop();
  return prepared;
}
