import type { MessagePort } from "node:worker_threads";
import { type Clock, systemClock } from "../../base/clock.ts";
import type { PolicyConfig } from "../../control/policy/eligibility.ts";
import type { PathManagerDefinition } from "./api.ts";
import { describeError } from "./describe-error.ts";
import { programsEnd } from "./exec-program.ts";
import { isToldAlready, loadPlugins } from "./load-path-managers.ts";
import { budgeted, redirectToLog } from "./log-budget.ts";
import { type PostedByThread, readToThread, type ToThread } from "./messages.ts";
import { PathManagersOnKernel } from "./path-managers-on-kernel.ts";
import { beginToBeat, Pulse, watchIn } from "./pulse.ts";
import { byPriority, responsibilityOf } from "./responsibility.ts";
import type { HandlerWatch, LoadedPathManager } from "./running-path-manager.ts";
import { type ThreadInput, unpackPolicy } from "./thread-input.ts";

/** Sets path managers up where nothing is real. @returns why some could not be, a line each */
export type Rehearse = (
  plugins: readonly LoadedPathManager[],
  surroundings: {
    readonly policy: PolicyConfig;
    readonly removalDelay: number;
    readonly watch: HandlerWatch;
  },
) => Promise<readonly string[]>;

/** The life of a thread of path managers, as the daemon directs it by messages. */
export async function runInThread(
  port: MessagePort,
  input: ThreadInput,
  builtIn: ReadonlyMap<string, PathManagerDefinition>,
  rehearse: Rehearse,
  clock: Clock = systemClock,
): Promise<void> {
  const post = (message: PostedByThread): void => port.postMessage(message);
  const log = budgeted((entry) => post({ kind: "log", ...entry }), clock, input);
  // What plugins print goes the way of what they log: streams of a thread would pile it up for the daemon.
  for (const stream of [process.stdout, process.stderr]) redirectToLog(stream, log);
  const pulse = new Int32Array(input.pulse);
  beginToBeat(pulse, clock);
  let thread: PathManagersOnKernel | undefined;
  const ending = new AbortController();
  const obey = async (message: ToThread): Promise<void> => {
    if (message.kind === "takeOver") {
      const failed = await thread?.takeOver(message.withoutGap);
      post({ kind: "running", failed: failed ?? [] });
    } else if (message.kind === "answer") thread?.answered(message.request, message.error);
    else {
      ending.abort();
      thread?.close();
      await programsEnd();
      post({ kind: "stopped" });
      port.close();
    }
  };
  port.on("message", (message) => void obey(readToThread(message)));
  // One that nobody looks after shall not take all path managers with it.
  process.on("unhandledRejection", (error) => {
    if (isToldAlready(error)) return;
    if (thread === undefined) log.error(`a promise of a plugin failed: ${describeError(error)}`);
    else thread.strayRejection(error);
  });
  const { plugins, errors, warnings } = await loadPlugins({
    ...{ ...input, builtIn },
    onLoading: (place) => void Atomics.store(pulse, Pulse.loading, place),
  });
  if (errors.length > 0) return post({ kind: "refused", errors });
  const named = plugins.map(({ definition: { name }, file }) => ({ name, file }));
  post({ kind: "loaded", plugins: named });
  if (input.rehearsal) {
    const { removalDelay } = input.settings;
    const surroundings = {
      ...{ policy: unpackPolicy(input.policy), removalDelay, watch: watchIn(pulse, plugins) },
    };
    const failed = await rehearse(withoutPrograms(plugins, input), surroundings);
    if (failed.length > 0) return post({ kind: "refused", errors: failed });
    const definitions = byPriority(plugins).map(({ definition }) => definition);
    const responsibility = responsibilityOf(definitions, input.settings.pathManagers);
    return post({ kind: "prepared", plugins: named, warnings, responsibility });
  }
  const { signal } = ending;
  try {
    const parts = { input, plugins, log, clock, post, signal, watch: watchIn(pulse, plugins) };
    thread = await PathManagersOnKernel.open(parts);
  } catch (error) {
    if (signal.aborted) return;
    throw error;
  }
  if (signal.aborted) return thread.close();
  post({ kind: "prepared", plugins: named, warnings, responsibility: thread.responsibility });
}

/** Those whose setup would start a program are left out: that it can be executed is all that is looked at. */
function withoutPrograms(
  plugins: readonly LoadedPathManager[],
  { sources }: ThreadInput,
): LoadedPathManager[] {
  const programs = sources.flatMap(({ kind, name }) => (kind === "exec" ? name : []));
  return plugins.filter(({ definition }) => !programs.includes(definition.name));
}
