/** How the tour sees the kernel of a host: a watcher in the host writes what changes, an observer reads it. */
import { setTimeout as delay } from "node:timers/promises";
import { writeOutput } from "../../base/command-line/terminal.ts";
import { type Endpoint, MptcpPm } from "../../kernel/mptcp-pm.ts";
import { type MptcpConnection, Sockets } from "../../kernel/sockets.ts";
import type { Host } from "../kit/host.ts";
import type { LabProcess } from "../kit/lab-process.ts";
import { waitFor } from "../kit/wait.ts";

const patienceMs = 10_000;

/** What the kernel of a host says, told by a watcher process in it. */
export class Observer {
  readonly #watcher: LabProcess;
  readonly #devices: ReadonlyMap<number, string>;
  readonly #sights: Sight[] = [];

  /** `program` is the command that runs watch(). */
  static async start(host: Host, program: readonly [string, ...string[]], devices: readonly string[]) {
    const [command, ...args] = program;
    const indexes = await Promise.all(devices.map(async (name) => [await host.ifIndex(name), name] as const));
    const observer = new Observer(host.spawn(command, args), new Map(indexes));
    await observer.until("a first look at the kernel", () => true);
    return observer;
  }

  private constructor(watcher: LabProcess, devices: ReadonlyMap<number, string>) {
    this.#watcher = watcher;
    this.#devices = devices;
  }

  get latest(): Sight | undefined {
    this.#read();
    return this.#sights.at(-1);
  }

  /** The first sight since `since` that is as wanted. */
  async until(what: string, isWanted: (sight: Sight) => boolean, since = 0): Promise<Sight> {
    const find = () => {
      this.#read();
      return this.#sights.find((sight) => sight.at >= since && isWanted(sight));
    };
    return waitFor(what, find, { deadlineMs: patienceMs });
  }

  deviceOf(ifIndex: number): string {
    return this.#devices.get(ifIndex) ?? `interface ${ifIndex}`;
  }

  #read(): void {
    for (const line of this.#watcher.lines.slice(this.#sights.length)) {
      if (!line.startsWith("{")) throw new Error(`the watcher says: ${this.#watcher.output}`);
      const sight: Sight = JSON.parse(line);
      this.#sights.push(sight);
    }
  }
}

/** What the watcher writes, one JSON object a line, whenever the kernel's answer differs from the last. */
export type Sight = {
  /** Milliseconds of the clock that all processes share (CLOCK_MONOTONIC). */
  readonly at: number;
  readonly endpoints: readonly SeenEndpoint[];
  /** Payload bytes that the peer has acknowledged, by the local address of the subflows that carried them. */
  readonly acked: Readonly<Record<string, number>>;
  /** How many subflows there are now. */
  readonly subflows: number;
};

export type SeenEndpoint = Pick<Endpoint, "address" | "ifIndex">;

/** The kernel tells nobody when an endpoint comes or goes, so it is asked often. An answer takes some 0.1 ms. */
const endpointIntervalMs = 2;
const socketsEveryNthTime = 25;

export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Writes what the kernel says about this network namespace, until it is killed. */
export async function watch(): Promise<never> {
  const pm = await MptcpPm.open();
  const sockets = Sockets.open();
  const bytes = new PathBytes();
  let last = "";
  for (let round = 0; ; round++) {
    const at = now();
    const endpoints = (await pm.dumpEndpoints()).map(({ address, ifIndex }) => ({ address, ifIndex }));
    if (round % socketsEveryNthTime === 0) bytes.add(await sockets.dumpConnections());
    const { acked, subflows } = bytes;
    const seen = JSON.stringify({ endpoints, acked, subflows });
    if (seen !== last) writeOutput(`${JSON.stringify({ at, endpoints, acked, subflows } satisfies Sight)}\n`);
    last = seen;
    await delay(endpointIntervalMs);
  }
}

/** Sums the bytes of subflows; those of a subflow that is gone are kept. */
class PathBytes {
  subflows = 0;
  readonly #bySubflow = new Map<string, { from: string; bytes: number }>();

  add(connections: readonly MptcpConnection[]): void {
    const subflows = connections.flatMap((connection) => connection.subflows);
    this.subflows = subflows.filter(({ state }) => state === "established").length;
    for (const { local, remote, bytes } of subflows) {
      const key = [local.address, local.port, remote.address, remote.port].join(" ");
      this.#bySubflow.set(key, { from: local.address, bytes: bytes.acked });
    }
  }

  get acked(): Record<string, number> {
    const acked: Record<string, number> = {};
    for (const { from, bytes } of this.#bySubflow.values()) acked[from] = (acked[from] ?? 0) + bytes;
    return acked;
  }
}
