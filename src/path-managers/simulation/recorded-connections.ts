import { isOfConnection } from "../../control/connections/from-events.ts";
import { type ListedConnection, listedConnections } from "../../control/connections/from-sock-diag.ts";
import type { MptcpEvent } from "../../kernel/mptcp-pm.ts";
import { unmapped } from "../../kernel/netlink/ip.ts";
import { AF_INET6 } from "../../kernel/rtnetlink.ts";
import type { ConnectionOutline, SocketAddress } from "../../kernel/sockets.ts";
import type { VirtualClock } from "./clock.ts";
import type { SimulatedConnection, SimulatedSubflow } from "./connection.ts";
import type { SimulatedKernel } from "./kernel.ts";
import { RecordedIds } from "./recorded-ids.ts";
import type { RecordedItem } from "./recording.ts";

type OpeningEvent = Extract<MptcpEvent, { readonly event: "created" | "established" }>;
type SubflowEvent = Extract<MptcpEvent, { readonly localId: number }>;
type Ends = { readonly local: SocketAddress; readonly remote: SocketAddress };

/** Milliseconds in which what was recorded of a subflow is taken for the answer to who asks for it. */
const HORIZON = 10_000;

/**
 * Lets a simulated kernel live through the recorded life of its connections, together with what a path manager does in it:
 *
 * - What was recorded is told, at its time; but nothing more of a subflow that the path manager has ended.
 * - A subflow that it asks for is the recorded one, if the next 10 s have one from that address, with that id, to that
 *   address and port, and gets that one's answer at that one's time. Of others the simulated kernel decides.
 * - An address has the id that it has anywhere in the recording: another one is refused, as by the kernel.
 * - Subflows that only the path manager has made last until it ends them, or the connection ends.
 */
export class RecordedConnections {
  readonly #kernel: SimulatedKernel;
  readonly #clock: VirtualClock;
  readonly #ids: RecordedIds;
  /** What is yet to come of the subflows of each connection. */
  readonly #future = new Map<number, { readonly at: number; readonly event: SubflowEvent }[]>();
  readonly #claimed = new WeakSet<SubflowEvent>();
  /** Those that are in the recording. */
  readonly #recorded = new WeakSet<SimulatedSubflow>();
  /** Those that the path manager has ended, by connection. */
  readonly #ended = new Map<number, Set<string>>();

  constructor(kernel: SimulatedKernel, clock: VirtualClock, items: readonly RecordedItem[]) {
    this.#kernel = kernel;
    this.#clock = clock;
    this.#ids = new RecordedIds(items);
    for (const item of items) {
      if (!("event" in item) || !isOfSubflow(item.event)) continue;
      const { at, event } = item;
      const known = this.#future.get(event.token);
      if (known === undefined) this.#future.set(event.token, [{ at, event }]);
      else known.push({ at, event });
    }
    kernel.foresee = ({ token, subflows }, { local, remote }) =>
      this.#foresee(token, subflows, { ...local, id: local.id ?? 0 }, remote);
    kernel.onEnd = ({ token }, subflow) => this.#end(token, subflow);
  }

  /** Lets happen what was recorded, and tells of it. */
  happen(event: MptcpEvent): void {
    if (isOfSubflow(event)) {
      this.#future.get(event.token)?.shift();
      if (this.#ended.get(event.token)?.has(keyOf(endsOf(event)))) return;
      this.#changeSubflow(event);
    } else if (event.event === "created" || event.event === "established") this.#open(event);
    else if (isOfConnection(event) && event.event === "closed") this.#close(event.token);
    this.#kernel.tell(event);
  }

  /** Makes the connections what sock_diag had listed. */
  replace(outlines: readonly ConnectionOutline[]): void {
    const found = listedConnections(outlines);
    const tokens = new Set(found.map(({ token }) => token));
    for (const token of [...this.#kernel.connections.keys()]) if (!tokens.has(token)) this.#close(token);
    for (const connection of found) this.#adopt(connection);
  }

  #foresee(
    token: number,
    subflows: readonly SimulatedSubflow[],
    local: { readonly address: string; readonly id: number },
    remote: SocketAddress,
  ): number | undefined {
    const latest = this.#clock.now() + HORIZON;
    for (const { at, event } of this.#future.get(token) ?? []) {
      if (at > latest) return undefined;
      const ends = endsOf(event);
      const wanted = { local: { address: local.address, port: ends.local.port }, remote };
      const fits = event.localId === local.id && isMeant(wanted, ends) && event.event !== "subflowPriority";
      const isOfAnother = subflows.some((subflow) => isMeant(subflow, ends));
      if (!fits || isOfAnother || this.#claimed.has(event)) continue;
      this.#claimed.add(event);
      return ends.local.port;
    }
    return undefined;
  }

  #end(token: number, subflow: SimulatedSubflow): void {
    const ended = this.#ended.get(token) ?? new Set();
    this.#ended.set(token, ended.add(keyOf(subflow)));
  }

  #open(event: OpeningEvent): void {
    const { token, serverSide, denyJoinId0 } = event;
    const known = this.#kernel.connections.get(token);
    const socketFamily = event.family === AF_INET6 ? 6 : 4;
    const connection =
      known ?? this.#connectionOf(token, { ...endsOf(event), socketFamily, serverSide, denyJoinId0 });
    if (event.event === "established") connection.established = true;
    if (known !== undefined) return;
    const initial = { ...plainSubflow, ...endsOf(event), mapped: isMapped(event), initial: true };
    connection.subflows = [this.#record(initial)];
    this.#kernel.connections.set(token, connection);
  }

  #close(token: number): void {
    this.#kernel.connections.delete(token);
    this.#ended.delete(token);
  }

  #changeSubflow(event: SubflowEvent): void {
    const connection = this.#kernel.connections.get(event.token);
    if (connection === undefined) return;
    const { localId, remoteId, ifIndex, backup } = event;
    const ends = endsOf(event);
    const known = connection.subflows.find((subflow) => isMeant(subflow, ends));
    if (event.event === "subflowClosed") {
      connection.subflows = connection.subflows.filter((subflow) => subflow !== known);
      return;
    }
    const subflow = known ?? {
      ...plainSubflow,
      ...ends,
      mapped: isMapped(event),
      localId,
      ifIndex,
      initial: false,
    };
    if (known === undefined) connection.subflows.push(subflow);
    this.#record(subflow);
    subflow.established = true;
    subflow.remoteId = remoteId;
    subflow.remoteBackup = backup;
  }

  #adopt(found: ListedConnection): void {
    const { token, local, remote, socketFamily, established, serverSide, subflows } = found;
    const known = this.#kernel.connections.get(token);
    const side = { serverSide: serverSide === true, denyJoinId0: false };
    const connection = known ?? this.#connectionOf(token, { local, remote, socketFamily, ...side });
    const before = connection.subflows;
    const listed = subflows
      .filter((subflow) => !this.#ended.get(token)?.has(keyOf(subflow)))
      .map((subflow) => {
        const { initial, mapped, localId, remoteId, ifIndex, localBackup, remoteBackup } = subflow;
        const same = before.find((other) => isSame(other, subflow));
        return this.#record({
          ...{ local: subflow.local, remote: subflow.remote, initial, mapped, localId, remoteId, ifIndex },
          ...{ established: subflow.state === "established", remoteBackup },
          localBackup: same?.localBackup ?? localBackup,
        });
      });
    const ours = before.filter(
      (subflow) => !this.#recorded.has(subflow) && !listed.some((other) => isSame(other, subflow)),
    );
    connection.subflows = [...listed, ...ours];
    connection.established ||= established;
    this.#kernel.connections.set(token, connection);
  }

  #connectionOf(
    token: number,
    given: Pick<SimulatedConnection, "local" | "remote" | "socketFamily" | "serverSide" | "denyJoinId0">,
  ): SimulatedConnection {
    const { pathManager } = this.#kernel;
    const ids = this.#ids.of(token);
    const peerIds = new Map<string, number>();
    return { ...given, token, pathManager, established: false, subflows: [], ids, announced: [], peerIds };
  }

  #record(subflow: SimulatedSubflow): SimulatedSubflow {
    this.#recorded.add(subflow);
    return subflow;
  }
}

const plainSubflow = {
  ...{ localId: 0, remoteId: 0, ifIndex: 0 },
  ...{ established: true, localBackup: false, remoteBackup: false },
};

function isOfSubflow(event: MptcpEvent): event is SubflowEvent {
  return "localId" in event;
}

function endsOf(
  event: Pick<OpeningEvent, "localAddress" | "localPort" | "remoteAddress" | "remotePort">,
): Ends {
  return {
    local: { address: unmapped(event.localAddress), port: event.localPort },
    remote: { address: unmapped(event.remoteAddress), port: event.remotePort },
  };
}

function isMapped({ family, localAddress }: Pick<OpeningEvent, "family" | "localAddress">): boolean {
  return family === AF_INET6 && !unmapped(localAddress).includes(":");
}

/** Of what failed before its handshake the kernel may not tell the peer's port. */
function isMeant(subflow: Ends, told: Ends): boolean {
  const { remote } = subflow;
  return isSame(subflow, { ...told, remote: { ...told.remote, port: told.remote.port || remote.port } });
}

function isSame(one: Ends, other: Ends): boolean {
  return keyOf(one) === keyOf(other);
}

function keyOf({ local, remote }: Ends): string {
  return `${local.address} ${local.port} ${remote.address} ${remote.port}`;
}
