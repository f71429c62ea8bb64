import { type EventOfSubflow, isOfConnection } from "../../control/connections/from-events.ts";
import { type ListedConnection, listedConnections } from "../../control/connections/from-sock-diag.ts";
import type { MptcpEvent } from "../../kernel/mptcp-pm.ts";
import { unmapped } from "../../kernel/netlink/ip.ts";
import type { ConnectionOutline, SocketAddress } from "../../kernel/sockets.ts";
import { AddressList } from "./address-list.ts";
import type { VirtualClock } from "./clock.ts";
import type { SimulatedSubflow } from "./connection.ts";
import type { SimulatedKernel } from "./kernel.ts";
import type { RecordedItem } from "./recording.ts";
import { connectionWith, endsOf, hasSameEnds, isMeant, isOfSubflow, keyOf, takeEvent } from "./take-event.ts";

/** Milliseconds in which what was recorded of a subflow is taken for the answer to who asks for it. */
const HORIZON = 10_000;

/**
 * Lets a simulated kernel live through the recorded life of its connections, together with what a path manager does in
 * it:
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
  readonly #future = new Map<number, { readonly at: number; readonly event: EventOfSubflow }[]>();
  readonly #claimed = new WeakSet<EventOfSubflow>();
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
    if (isOfConnection(event)) {
      const { token } = event;
      if (isOfSubflow(event)) {
        this.#future.get(token)?.shift();
        if (this.#ended.get(token)?.has(keyOf(endsOf(event)))) return;
      } else if (event.event === "closed") this.#ended.delete(token);
      const subflow = takeEvent(this.#kernel, event, this.#ids.of(token));
      if (subflow !== undefined) this.#recorded.add(subflow);
    }
    this.#kernel.tell(event);
  }

  /** Makes the connections what sock_diag had listed. */
  replace(outlines: readonly ConnectionOutline[]): void {
    const found = [...listedConnections(outlines)];
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

  #close(token: number): void {
    this.#kernel.connections.delete(token);
    this.#ended.delete(token);
  }

  #adopt(found: ListedConnection): void {
    const { token, local, remote, socketFamily, established, serverSide, subflows } = found;
    const known = this.#kernel.connections.get(token);
    const side = { serverSide: serverSide === true, denyJoinId0: false };
    const given = { token, local, remote, socketFamily, ...side };
    const connection = known ?? connectionWith(this.#kernel, given, this.#ids.of(token));
    const before = connection.subflows;
    const listed = subflows
      .filter((subflow) => !this.#ended.get(token)?.has(keyOf(subflow)))
      .map((subflow) => {
        const { initial, mapped, localId, remoteId, ifIndex, localBackup, remoteBackup } = subflow;
        const same = before.find((other) => hasSameEnds(other, subflow));
        return this.#record({
          ...{ local: subflow.local, remote: subflow.remote, initial, mapped, localId, remoteId, ifIndex },
          ...{ established: subflow.state === "established", remoteBackup },
          localBackup: same?.localBackup ?? localBackup,
        });
      });
    const ours = before.filter(
      (subflow) => !this.#recorded.has(subflow) && !listed.some((other) => hasSameEnds(other, subflow)),
    );
    connection.subflows = [...listed, ...ours];
    connection.established ||= established;
    this.#kernel.connections.set(token, connection);
  }

  #record(subflow: SimulatedSubflow): SimulatedSubflow {
    this.#recorded.add(subflow);
    return subflow;
  }
}

/**
 * The ids that addresses of this host have anywhere in a recording, by connection; of a contradiction, what came first.
 */
class RecordedIds {
  readonly #ids = new Map<number, AddressList>();

  constructor(items: readonly RecordedItem[]) {
    for (const item of items) {
      if ("event" in item && "localId" in item.event)
        this.#add(item.event.token, item.event.localAddress, item.event.localId);
      if ("connections" in item)
        for (const { token, subflows } of item.connections)
          for (const { local, localId } of subflows) this.#add(token, local.address, localId);
    }
  }

  of(token: number): AddressList {
    const ids = new AddressList();
    for (const entry of this.#ids.get(token) ?? []) ids.enter(entry);
    return ids;
  }

  #add(token: number, given: string, id: number): void {
    // The address of the initial subflow is on no list.
    if (id === 0) return;
    const ids = this.#ids.get(token) ?? new AddressList();
    this.#ids.set(token, ids);
    ids.enter({ address: unmapped(given), port: 0, id });
  }
}
