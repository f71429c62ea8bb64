import type { Clock } from "../../base/clock.ts";
import { endpointFlags, type MptcpPm } from "../../kernel/mptcp-pm.ts";
import { refusalOf } from "../../kernel/mptcp-pm-refusals.ts";
import { ipFamily, mapped, unmapped } from "../../kernel/netlink/ip.ts";
import type { Sockets } from "../../kernel/sockets.ts";
import type { IdBook } from "./address-ids.ts";
import {
  type Connection,
  type ConnectionChange,
  ConnectionError,
  type SocketAddress,
  type Subflow,
  tokenText,
} from "./connection.ts";
import type { ConnectionRecord, SubflowRecord } from "./connection-record.ts";
import type { ConnectionTable } from "./connection-table.ts";
import type { SubflowRequest } from "./connection-updates.ts";
import { SubflowRequests } from "./subflow-requests.ts";

export type SubflowKernel = Pick<MptcpPm, "createSubflow" | "destroySubflow" | "setSubflowFlags">;

export interface SubflowOptions {
  /** An address of this host, and the interface to bind to, if the routes are not to decide. */
  readonly from: { readonly address: string; readonly ifIndex?: number | undefined };
  /** The id that the peer knows the address by; one is chosen if it is not given. */
  readonly id?: number | undefined;
  /**
   * Without it: where the initial subflow goes, or else an address that the peer has announced. Without a port: that of
   * the initial subflow.
   */
  readonly to?: { readonly address: string; readonly port?: number | undefined } | undefined;
  readonly backup?: boolean | undefined;
  /** Milliseconds that the peer has to answer; 10,000 if not given. */
  readonly deadline?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const DEADLINE = 10_000;

/** What the kernel has taken; `answer` settles as SubflowRequests.wait says. */
interface Begun {
  readonly subflow: SubflowRecord;
  readonly answer: Promise<void>;
}

/** Makes and ends subflows. */
export class Subflows {
  readonly #kernel: SubflowKernel;
  readonly #sockets: Pick<Sockets, "dumpOutlines">;
  readonly #table: ConnectionTable;
  readonly #ids: IdBook;
  readonly #requests: SubflowRequests;

  constructor(parts: {
    readonly kernel: SubflowKernel;
    readonly sockets: Pick<Sockets, "dumpOutlines">;
    readonly table: ConnectionTable;
    readonly ids: IdBook;
    readonly clock: Clock;
  }) {
    this.#kernel = parts.kernel;
    this.#sockets = parts.sockets;
    this.#table = parts.table;
    this.#ids = parts.ids;
    this.#requests = new SubflowRequests(parts.clock);
  }

  /**
   * Resolves when the subflow is established.
   *
   * @throws KernelError when the kernel refuses, ConnectionError when the peer does (see SubflowRequests.wait), or when
   *   it has no address to connect to (EADDRNOTAVAIL), or the reason of the signal
   */
  async create(connection: ConnectionRecord, options: SubflowOptions): Promise<Subflow> {
    const { subflow, answer } = await this.#begin(connection, options);
    try {
      await answer;
    } catch (error) {
      // If the attempt cannot be given up, the kernel ends it after two minutes.
      if (subflow.state === "connecting") await this.#giveUp(connection, subflow).catch(() => undefined);
      throw error;
    }
    return subflow;
  }

  /** As `create`, but resolves when the kernel has begun to connect; what becomes of that, the kernel's events tell. */
  async begin(connection: ConnectionRecord, options: SubflowOptions): Promise<Subflow> {
    return (await this.#begin(connection, options)).subflow;
  }

  /** ESRCH, from the kernel: there is no such subflow. */
  async destroy(connection: ConnectionRecord, subflow: SubflowRecord): Promise<void> {
    if (subflow.local.port === 0) await this.#giveUp(connection, subflow);
    else await this.#kernel.destroySubflow({ token: connection.token, ...endsOf(subflow) });
  }

  /** Asks the peer to use a subflow only where no other is left, or no longer so (MP_PRIO). */
  async setBackup(connection: ConnectionRecord, subflow: SubflowRecord, backup: boolean): Promise<void> {
    const flags = backup ? endpointFlags.of("backup") : endpointFlags.of();
    await this.#kernel.setSubflowFlags({ token: connection.token, ...endsOf(subflow), flags });
    this.#table.setLocalBackup(connection, subflow, backup);
  }

  /** @returns whether the change is for nobody else to know */
  noticed(change: ConnectionChange): boolean {
    return this.#requests.noticed(change);
  }

  #begin(connection: ConnectionRecord, options: SubflowOptions): Promise<Begun> {
    const { id, backup = false, deadline = DEADLINE, signal } = options;
    if (signal !== undefined) this.#requests.watch(signal);
    const local = { address: unmapped(options.from.address), port: 0 };
    const remote = targetOf(connection, options);
    const what = () => creating(connection, local, remote);
    const ifIndex = options.from.ifIndex ?? 0;
    return this.#ids.use(connection, { ...local, id }, what, (localId) => {
      const request = { local, localId, remote, ifIndex, localBackup: backup };
      // First of all: somebody waits for it, and its events come only when the event loop turns.
      const sent = this.#send(connection, request);
      const subflow = this.#table.connect(connection, request);
      const answer = this.#requests.wait({ what, connection, subflow, deadline, signal });
      // It is awaited only when the kernel has taken the request.
      answer.catch(() => undefined);
      return this.#taken(connection, subflow, sent).then(() => ({ subflow, answer }));
    });
  }

  #send(
    { token }: ConnectionRecord,
    { local: { address }, localId: id, remote, ifIndex, localBackup }: SubflowRequest,
  ): Promise<void> {
    const key = { token, local: ifIndex === 0 ? { address, id } : { address, id, ifIndex }, remote };
    return this.#kernel.createSubflow(localBackup ? { ...key, flags: endpointFlags.of("backup") } : key);
  }

  /** Resolves when the kernel has taken the request. */
  async #taken(connection: ConnectionRecord, subflow: SubflowRecord, sent: Promise<void>): Promise<void> {
    const { local, remote } = subflow;
    try {
      await sent;
    } catch (error) {
      const family = ipFamily(local.address);
      // If the two ends agree, it is the socket that takes no such subflows.
      const agree = ipFamily(remote.address) === family;
      if (agree && refusalOf(error) === "families-mismatch") connection.excludeFamily(family);
      this.#requests.forget(connection, subflow, error);
      this.#table.abandon(connection, subflow);
      throw error;
    }
  }

  /** The kernel goes on to send SYNs for two minutes: closes the socket, whose port only sock_diag knows. */
  async #giveUp(connection: ConnectionRecord, subflow: SubflowRecord): Promise<void> {
    const { token } = connection;
    const { local, remote, localId } = subflow;
    const outlines = await this.#sockets.dumpOutlines();
    const attempt = outlines
      .find((outline) => outline.token === token)
      ?.subflows.find(
        (other) =>
          (other.state === "syn-sent" || other.state === "syn-recv") &&
          other.localId === localId &&
          other.local.address === local.address &&
          other.remote.address === remote.address &&
          other.remote.port === remote.port,
      );
    if (subflow.state !== "connecting") return;
    try {
      if (attempt === undefined) throw new Error("the kernel lists no socket of it");
      // An event tells its end, which concerns nobody any more. If the event is lost, a reading finds the subflow
      // missing, because it has a port now.
      await this.#kernel.destroySubflow({ token, local: attempt.local, remote });
      subflow.local = attempt.local;
    } catch {
      const what = creating(connection, local, remote);
      const error = new ConnectionError(what, "ECONNABORTED", "mptcpd gave up the attempt");
      this.#requests.forget(connection, subflow, error);
      this.#table.abandon(connection, subflow);
    }
  }
}

function creating(
  { token }: ConnectionRecord,
  from: { readonly address: string },
  to: SocketAddress,
): string {
  return `create subflow ${from.address} to ${shown(to)} of connection ${tokenText(token)}`;
}

/** The default destination of subflows; undefined: no address of the peer of that family is known. */
export function usualTarget(
  { remote, denyJoinId0, announced, families }: Connection,
  family: 4 | 6,
): SocketAddress | undefined {
  if (!families.includes(family)) return undefined;
  const fits = ({ address }: SocketAddress): boolean => ipFamily(address) === family;
  if (denyJoinId0 !== true && fits(remote)) return remote;
  const target = announced.find(fits);
  return target && { address: target.address, port: target.port };
}

function targetOf(connection: ConnectionRecord, { from, to }: SubflowOptions): SocketAddress {
  const { remote, denyJoinId0, token, families } = connection;
  // Events will tell of it without the ::ffff: that the kernel takes as well.
  if (to !== undefined) return { address: unmapped(to.address), port: to.port ?? remote.port };
  const family = ipFamily(unmapped(from.address));
  const target = usualTarget(connection, family);
  if (target !== undefined) return target;
  const what = `create subflow from ${from.address} of connection ${tokenText(token)}`;
  if (!families.includes(family))
    throw new ConnectionError(what, "EINVAL", `its socket takes no IPv${family} subflows`);
  const refused = denyJoinId0 === true ? "the peer takes no subflows to its first address, and " : "";
  const reason = `${refused}no IPv${family} address of the peer is known`;
  throw new ConnectionError(what, "EADDRNOTAVAIL", reason);
}

/** The kernel finds a subflow by the addresses of its socket (net/mptcp/pm_userspace.c, mptcp_nl_find_ssk). */
function endsOf({ local, remote, mapped: isMapped }: SubflowRecord) {
  if (!isMapped) return { local, remote };
  return {
    local: { ...local, address: mapped(local.address) },
    remote: { ...remote, address: mapped(remote.address) },
  };
}

function shown({ address, port }: SocketAddress): string {
  return `${address} port ${port}`;
}
