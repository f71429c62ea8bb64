import type { Prepared } from "../../path-managers/runtime/messages.ts";
import { PathManagerThread } from "../../path-managers/runtime/path-manager-thread.ts";
import type { PluginPlan } from "../../path-managers/runtime/plugin-sources.ts";
import { startThread } from "../../path-managers/runtime/start-thread.ts";
import type { SupervisedInput } from "../../path-managers/runtime/thread-supervisor.ts";

/**
 * Loads plugins in a thread of their own, sets them up on a simulated copy of this host, and ends the thread. Programs are
 * not started.
 *
 * @throws PathManagersRefusedError where the thread cannot start, a plugin cannot be loaded, or its setup throws
 */
export async function rehearsePathManagers(given: {
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
  const { worker, prepared } = await startThread(input, (input) => new PathManagerThread(input, ignored));
  await worker.stop();
  return prepared;
}
