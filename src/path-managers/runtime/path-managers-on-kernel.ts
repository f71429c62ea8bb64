import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../../base/clock.ts";
import { type Logger, prefixed } from "../../base/log/log.ts";
import { Checkpoint } from "../../control/connections/checkpoint.ts";
import { NetworkMonitor } from "../../control/network/monitor.ts";
import type { PolicyConfig } from "../../control/policy/eligibility.ts";
import { MptcpPm } from "../../kernel/mptcp-pm.ts";
import { type Persistence, persist } from "../../kernel/netlink/persist.ts";
import { Sockets } from "../../kernel/sockets.ts";
import { EndpointRequests } from "./endpoint-requests.ts";
import {
  type PackedError,
  type PackedWanted,
  type PostedByThread,
  packWanted,
  type Responsibility,
} from "./messages.ts";
import { viewNetwork } from "./network-view.ts";
import { openMarked } from "./pulse.ts";
import { DEFAULT_PATH_MANAGER } from "./responsibility.ts";
import type { HandlerWatch, LoadedPathManager } from "./running-path-manager.ts";
import { PathManagerRuntime } from "./runtime.ts";
import { type ThreadInput, unpackPolicy } from "./thread-input.ts";

/** Bytes: half a second of events at 40,000 a second. */
const RECEIVE_BUFFER = 32 * 1024 * 1024;

interface ThreadParts {
  readonly input: ThreadInput;
  readonly plugins: readonly LoadedPathManager[];
  readonly log: Logger;
  readonly clock: Clock;
  readonly post: (message: PostedByThread) => void;
  readonly watch: HandlerWatch;
  /** Ends what is under way at the start. */
  readonly signal: AbortSignal;
}

/** The path managers on the real kernel, with sockets of their own. */
export class PathManagersOnKernel {
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
    const pm = await persist(() => MptcpPm.open({ open, receiveBuffer: RECEIVE_BUFFER }), patience);
    let thread: PathManagersOnKernel | undefined;
    const onChange = (): void => thread?.networkChanged();
    const monitor = await NetworkMonitor.start({ log, onChange, open, clock, signal });
    thread = new PathManagersOnKernel(
      parts,
      pm,
      monitor,
      Sockets.open({ open, receiveBuffer: RECEIVE_BUFFER }),
    );
    return thread;
  }

  private constructor(parts: ThreadParts, pm: MptcpPm, monitor: NetworkMonitor, sockets: Sockets) {
    const { input, plugins, log, clock, post, watch } = parts;
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
      ...{ plugins, log, watch, faults, clock },
      remember: (connections) =>
        new Checkpoint({
          ...{ ...checkpoint, connections, clock },
          warn: (message) => log.warning(message),
          notice: (message) => log.notice(message),
        }),
      network: () => viewNetwork(this.#monitor.network, this.#policy),
      ...{ inCharge: settings.pathManagers, removalDelay: settings.removalDelay },
      mostFaults: settings.pluginFaults,
      onFault: (plugin, count) => post({ kind: "fault", plugin, count }),
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
