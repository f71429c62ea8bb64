import { isDeepStrictEqual } from "node:util";
import type { MessagePort } from "node:worker_threads";
import { type Clock, systemClock } from "../../base/clock.ts";
import { GarbageCollector } from "../../base/garbage.ts";
import { type Logger, prefixed } from "../../base/log/log.ts";
import { Checkpoint } from "../../control/connections/checkpoint.ts";
import { NetworkMonitor } from "../../control/network/monitor.ts";
import type { PolicyConfig } from "../../control/policy/host-addresses.ts";
import { isLockedByOther } from "../../kernel/file-lock.ts";
import { EVENT_BUFFER, MptcpPm } from "../../kernel/mptcp-pm.ts";
import { type Persistence, persist } from "../../kernel/netlink/persist.ts";
import { Sockets } from "../../kernel/sockets.ts";
import type { PathManagerDefinition } from "./api.ts";
import { describeError } from "./describe-error.ts";
import { EndpointRequests } from "./endpoint-commands.ts";
import { programsEnd } from "./exec-program.ts";
import { isReported, loadPathManagers } from "./load-path-managers.ts";
import { budgeted, redirectToLog } from "./log-budget.ts";
import {
  type PackedError,
  type PackedWanted,
  type PostedByThread,
  packWanted,
  type Responsibility,
  readToThread,
  type ToThread,
} from "./messages.ts";
import { viewNetwork } from "./network-view.ts";
import { PathManagerRuntime } from "./path-manager-runtime.ts";
import { beginToBeat, openMarked, Pulse, watchIn } from "./pulse.ts";
import { byPriority, DEFAULT_PATH_MANAGER, responsibilityOf } from "./responsibility.ts";
import type { HandlerWatch, LoadedPathManager } from "./running-path-manager.ts";
import { type ThreadInput, unpackPolicy } from "./thread-input.ts";

/** Sets path managers up where nothing is real. @returns why some could not be, a line each */
export type Rehearse = (
  pathManagers: readonly LoadedPathManager[],
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
  // What path managers print goes the way of what they log: streams of a thread would pile it up for the daemon.
  for (const stream of [process.stdout, process.stderr]) redirectToLog(stream, log);
  const pulse = new Int32Array(input.pulse);
  beginToBeat(pulse, clock);
  new GarbageCollector(clock).watch();
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
    if (isReported(error)) return;
    if (thread === undefined) log.error(`a promise of a plugin failed: ${describeError(error)}`);
    else thread.strayRejection(error);
  });
  const { pathManagers, errors, warnings } = await loadPathManagers({
    ...{ ...input, builtIn },
    onLoading: (place) => void Atomics.store(pulse, Pulse.loading, place),
  });
  if (errors.length > 0) return post({ kind: "refused", errors });
  const named = pathManagers.map(({ definition: { name }, file }) => ({ name, file }));
  post({ kind: "loaded", pathManagers: named });
  if (input.rehearsal) {
    const { removalDelay } = input.settings;
    const surroundings = {
      ...{ policy: unpackPolicy(input.policy), removalDelay, watch: watchIn(pulse, pathManagers) },
    };
    const failed = await rehearse(withoutPrograms(pathManagers, input), surroundings);
    if (failed.length > 0) return post({ kind: "refused", errors: failed });
    const definitions = byPriority(pathManagers).map(({ definition }) => definition);
    const responsibility = responsibilityOf(definitions, input.settings.pathManagers);
    return post({ kind: "prepared", pathManagers: named, warnings, responsibility });
  }
  const { signal } = ending;
  try {
    const parts = { input, pathManagers, log, clock, post, signal, watch: watchIn(pulse, pathManagers) };
    thread = await PathManagersOnKernel.open(parts);
  } catch (error) {
    if (signal.aborted) return;
    throw error;
  }
  if (signal.aborted) return thread.close();
  post({ kind: "prepared", pathManagers: named, warnings, responsibility: thread.responsibility });
}

/** Those whose setup would start a program are left out: that it can be executed is all that is looked at. */
function withoutPrograms(
  pathManagers: readonly LoadedPathManager[],
  { sources }: ThreadInput,
): LoadedPathManager[] {
  const programs = sources.flatMap(({ kind, name }) => (kind === "exec" ? name : []));
  return pathManagers.filter(({ definition }) => !programs.includes(definition.name));
}

interface ThreadParts {
  readonly input: ThreadInput;
  readonly pathManagers: readonly LoadedPathManager[];
  readonly log: Logger;
  readonly clock: Clock;
  readonly post: (message: PostedByThread) => void;
  readonly watch: HandlerWatch;
  /** Ends what is under way at the start. */
  readonly signal: AbortSignal;
}

/** The path managers on the real kernel, with sockets of their own. */
class PathManagersOnKernel {
  readonly #parts: ThreadParts;
  readonly #pm: MptcpPm;
  readonly #sockets: Sockets;
  readonly #monitor: NetworkMonitor;
  readonly #runtime: PathManagerRuntime;
  readonly #endpoints: EndpointRequests;
  readonly #policy: PolicyConfig;
  #wanted: PackedWanted | undefined;

  /** Opens everything and begins to listen, however long the kernel takes to answer; nothing is told yet. */
  static async open(parts: ThreadParts): Promise<PathManagersOnKernel> {
    const { input, clock, signal } = parts;
    const log = prefixed(parts.log, "the path managers' thread");
    const patience: Persistence = { log, clock, signal };
    const open = openMarked(new Int32Array(input.pulse));
    const pm = await persist(() => MptcpPm.open({ open, receiveBuffer: EVENT_BUFFER }), patience);
    let thread: PathManagersOnKernel | undefined;
    const onChange = (): void => thread?.networkChanged();
    const monitor = await NetworkMonitor.start({ log, onChange, open, clock, signal });
    thread = new PathManagersOnKernel(
      parts,
      pm,
      monitor,
      Sockets.open({ open, receiveBuffer: EVENT_BUFFER }),
    );
    return thread;
  }

  private constructor(parts: ThreadParts, pm: MptcpPm, monitor: NetworkMonitor, sockets: Sockets) {
    const { input, pathManagers, log, clock, post, watch } = parts;
    const { settings, faults, policy, checkpoint } = input;
    this.#parts = parts;
    this.#pm = pm;
    this.#monitor = monitor;
    this.#policy = unpackPolicy(policy);
    this.#sockets = sockets;
    this.#endpoints = new EndpointRequests(pm, (request, command) =>
      post({ kind: "endpoints", request, command }),
    );
    this.#runtime = new PathManagerRuntime({
      ...{ events: pm, kernel: pm, endpoints: this.#endpoints, sockets: this.#sockets },
      ...{ pathManagers, log, watch, faults, clock },
      remember: (connections) =>
        new Checkpoint({
          ...{ ...checkpoint, connections, clock },
          isAllowed: () => !isLockedByOther(checkpoint.lock),
          warn: (message) => log.warning(message),
          notice: (message) => log.notice(message),
        }),
      network: () => viewNetwork(this.#monitor.network, this.#policy),
      ...{ inCharge: settings.pathManagers, removalDelay: settings.removalDelay },
      mostFaults: settings.pluginFaults,
      onFault: (pathManager, count) => post({ kind: "fault", pathManager, count }),
      onResponsibility: (responsibility) => {
        post({ kind: "responsibility", responsibility });
        this.#wanted = undefined;
        this.#tellWanted();
      },
    });
  }

  get responsibility(): Responsibility {
    return this.#runtime.host.responsibility;
  }

  takeOver(withoutGap: boolean): Promise<readonly string[]> {
    // They depend on nobody's setup.
    this.#tellWanted();
    return this.#runtime.takeOver(withoutGap);
  }

  strayRejection(error: unknown): void {
    this.#runtime.host.strayRejection(error);
  }

  answered(request: number, error: PackedError | undefined): void {
    this.#endpoints.answered(request, error);
  }

  networkChanged(): void {
    this.#runtime.host.networkChanged();
    this.#tellWanted();
  }

  close(): void {
    this.#runtime.close();
    this.#endpoints.close();
    this.#monitor.close();
    this.#sockets.close();
    this.#pm.close();
  }

  #tellWanted(): void {
    // The daemon asks its policy for the endpoints of the default path manager.
    if (this.responsibility.endpoints === DEFAULT_PATH_MANAGER) return;
    const wanted = this.#runtime.host.wantedEndpoints(this.#monitor.network, this.#policy);
    const packed = wanted && packWanted(wanted);
    if (packed === undefined || isDeepStrictEqual(packed, this.#wanted)) return;
    this.#wanted = packed;
    this.#parts.post({ kind: "wanted", wanted: packed });
  }
}
