import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log/log.ts";
import type { Announcement, Announcements } from "../../control/connections/announcements.ts";
import {
  type Connection,
  ConnectionClosedError,
  ConnectionError,
  type Subflow,
  tokenText,
} from "../../control/connections/connection.ts";
import type { ConnectionRecord, SubflowRecord } from "../../control/connections/connection-record.ts";
import type { ConnectionTable } from "../../control/connections/connection-table.ts";
import { type Subflows, usualTarget } from "../../control/connections/subflows.ts";
import { refusalOf } from "../../kernel/mptcp-pm-refusals.ts";
import { KernelError } from "../../kernel/netlink/errors.ts";
import { canonicalIp, ipFamily } from "../../kernel/netlink/ip.ts";
import type {
  AnnounceAddressOptions,
  Connections,
  CreateSubflowOptions,
  Endpoints,
  PathManager,
  WithdrawnAddress,
} from "./api.ts";
import { type EndpointCommands, endpointCommandsOf } from "./endpoint-commands.ts";
import type { LocalAddress, NetworkInterface, NetworkView } from "./network-view.ts";
import { addressOf, requireBoolean, requireId, requirePort, type What } from "./refusals.ts";
import { requireWait, Timers } from "./timers.ts";

/** What path managers are served with: the real kernel's, or the simulation's. */
export interface PathManagerServices {
  readonly log: Logger;
  readonly clock: Clock;
  /** For deadlines: see RunningClock. */
  readonly patience: Clock;
  readonly network: () => NetworkView;
  readonly table: ConnectionTable;
  readonly subflows: Subflows;
  readonly announcements: Announcements;
  readonly kernel: EndpointCommands;
  /** Milliseconds that what goes from an address outlives it. */
  readonly removalDelay: number;
}

export interface PathManagerHandleOptions {
  readonly name: string;
  readonly options: unknown;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly services: PathManagerServices;
  /** Runs a callback of the path manager's, and takes the blame for what it throws. */
  readonly guard: (event: string, callback: () => unknown) => void;
}

/** The handle that one path manager gets as `pm`; see PathManager for what each member promises. */
export class PathManagerHandle implements PathManager {
  readonly name: string;
  readonly options: unknown;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly connections: Connections;
  readonly endpoints: Endpoints;
  readonly limits: PathManager["limits"];
  readonly removalDelay: number;
  readonly #services: PathManagerServices;
  readonly #timers: Timers;
  /** As `signal.aborted`, which takes several microseconds: somebody waits for each subflow. */
  #isOver = false;

  constructor({ name, options, log, signal, services, guard }: PathManagerHandleOptions) {
    const { kernel, table } = services;
    this.name = name;
    this.options = options;
    this.log = log;
    this.signal = signal;
    this.#services = services;
    signal.addEventListener("abort", () => {
      this.#isOver = true;
    });
    this.#timers = new Timers({ clock: services.clock, signal, guard });
    this.connections = table;
    this.removalDelay = services.removalDelay;
    const commands = endpointCommandsOf({ kernel, signal, locate: (given) => this.#bound(given) });
    this.limits = commands.limits;
    this.endpoints = commands.endpoints;
  }

  get network(): NetworkView {
    return this.#services.network();
  }

  createSubflow(connection: Connection, options: CreateSubflowOptions): Promise<Subflow> {
    const what = () => `create subflow of connection ${tokenText(connection.token)}`;
    return this.#forLive(connection, what, (record) => {
      const { backup, to: given } = options;
      const deadline = options.deadline === undefined ? undefined : requireWait(options.deadline);
      const to = typeof given === "string" ? { address: given } : given;
      requirePort(what, to?.port);
      requireBoolean(what, "backup", backup);
      const target = to && { ...to, address: addressOf(what, to.address) };
      const from = this.#source(record, options.from, target?.address, what);
      const request = { from, to: target, backup, deadline, signal: this.signal };
      return this.#services.subflows.create(record, request);
    });
  }

  async destroySubflow(connection: Connection, subflow: Subflow): Promise<void> {
    const what = () =>
      `destroy subflow ${subflow.local.address} of connection ${tokenText(connection.token)}`;
    await this.#forLive(connection, what, (record) =>
      this.#services.subflows.destroy(record, this.#own(record, subflow, what)),
    );
  }

  async setBackup(connection: Connection, subflow: Subflow, backup: boolean): Promise<void> {
    const what = () => `change subflow ${subflow.local.address} of connection ${tokenText(connection.token)}`;
    await this.#forLive(connection, what, (record) => {
      const own = this.#own(record, subflow, what);
      if (backup === undefined)
        throw new ConnectionError(what(), "EINVAL", "whether it is backup is not said");
      requireBoolean(what, "backup", backup);
      return this.#services.subflows.setBackup(record, own, backup);
    });
  }

  async announce(connection: Connection, options: AnnounceAddressOptions): Promise<Announcement> {
    const { address: given, ...rest } = options;
    const { address, ifIndex } = this.#bound(given);
    const what = () => `announce ${address} to connection ${tokenText(connection.token)}`;
    return await this.#forLive(connection, what, (record) => {
      requirePort(what, rest.port);
      requireBoolean(what, "listen", rest.listen);
      const request = { ...rest, ifIndex, address: addressOf(what, address), signal: this.signal };
      return this.#services.announcements.announce(record, request);
    });
  }

  async withdraw(connection: Connection, given: WithdrawnAddress): Promise<void> {
    const what = () => `withdraw an address from connection ${tokenText(connection.token)}`;
    await this.#forLive(connection, what, (record) => {
      const target =
        typeof given === "object" && "id" in given
          ? { id: given.id }
          : { address: addressOf(what, typeof given === "object" ? given.address : given) };
      requireId(what, target.id);
      return this.#services.announcements.withdraw(record, target);
    });
  }

  now(): number {
    return this.#services.clock.now();
  }

  after(milliseconds: number, callback: () => unknown): () => void {
    return this.#timers.after(milliseconds, callback);
  }

  every(milliseconds: number, callback: () => unknown): () => void {
    return this.#timers.every(milliseconds, callback);
  }

  sleep(milliseconds: number): Promise<void> {
    return this.#timers.sleep(milliseconds);
  }

  /** Gives a command for a connection. */
  async #forLive<T>(
    connection: Connection,
    what: What,
    command: (record: ConnectionRecord) => Promise<T>,
  ): Promise<T> {
    const record = this.#live(connection, what);
    const { state } = record;
    try {
      return await command(record);
    } catch (error) {
      throw isOfClosed(error, record, state) ? closed(what()) : error;
    }
  }

  /** The table's own record of a connection. */
  #live(connection: Connection, what: What): ConnectionRecord {
    if (this.#isOver) throw this.signal.reason;
    const record = this.#services.table.get(connection.token);
    if (record !== undefined && record === connection) return record;
    throw closed(what());
  }

  #own(connection: ConnectionRecord, subflow: Subflow, what: What): SubflowRecord {
    const record = connection.subflows.find((other) => other === subflow);
    if (record !== undefined) return record;
    throw new ConnectionError(what(), "ESRCH", "the connection has no such subflow");
  }

  /** An address with its interface, if it is one of the network's. */
  #bound(given: string | LocalAddress): Bound {
    if (typeof given !== "string") return { address: given.address, ifIndex: given.ifIndex };
    return this.#find(canonicalIp(given) ?? given);
  }

  #find(given: string): Bound {
    const known = this.network.addresses.find(({ address }) => address === given);
    return known === undefined ? { address: given } : { address: given, ifIndex: known.ifIndex };
  }

  #source(
    connection: Connection,
    given: string | LocalAddress | NetworkInterface,
    to: string | undefined,
    what: What,
  ): Bound {
    if (typeof given !== "object") return this.#find(addressOf(what, given));
    if ("address" in given) return given;
    const first = ipFamily(to ?? connection.remote.address);
    const inOrder = given.addresses.toSorted(
      (a, b) => Number(b.family === first) - Number(a.family === first),
    );
    const reaches = ({ family }: LocalAddress): boolean =>
      to === undefined ? usualTarget(connection, family) !== undefined : family === first;
    const address = inOrder.find(reaches) ?? (to === undefined ? inOrder[0] : undefined);
    if (address !== undefined) return address;
    const kind = to === undefined ? "address that can be used" : `IPv${first} address`;
    throw new ConnectionError(what(), "EADDRNOTAVAIL", `${given.name} has no ${kind}`);
  }
}

/** An address, and the interface to bind to, if the routes are not to decide. */
type Bound = Pick<LocalAddress, "address"> & Partial<Pick<LocalAddress, "ifIndex">>;

function closed(what: string): ConnectionClosedError {
  return new ConnectionClosedError(what, "ENOTCONN", "the connection is closed");
}

/**
 * Whether a command was refused as its connection has ended: the kernel knows that first. It tells by the token, or, of
 * one that was established before, by the socket (net/mptcp/subflow.c, __mptcp_subflow_connect).
 */
function isOfClosed(error: unknown, { state }: Connection, before: Connection["state"]): boolean {
  if (!(error instanceof KernelError)) return false;
  const refusal = refusalOf(error);
  if (state === "closed" || refusal === "no-such-connection") return true;
  return refusal === "not-established" && before === "established";
}
