import { LONGEST } from "../../base/clock.ts";
import type { Logger } from "../../base/log/log.ts";
import type { Announcement } from "../../control/connections/announcements.ts";
import type { Connection, Subflow } from "../../control/connections/connection.ts";
import { tokenText } from "../../control/connections/connection.ts";
import { ConnectionClosedError, ConnectionError } from "../../control/connections/errors.ts";
import type { ConnectionRecord, SubflowRecord } from "../../control/connections/record.ts";
import { usualTarget } from "../../control/connections/subflows.ts";
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
import {
  addressOf,
  flagsOf,
  requireBoolean,
  requireEndpointId,
  requireId,
  requireInterface,
  requireLimit,
  requirePort,
} from "./arguments.ts";
import type { LocalAddress, NetworkInterface, NetworkView } from "./network-view.ts";
import type { Services } from "./services.ts";

export interface ContextOptions {
  readonly name: string;
  readonly options: unknown;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly services: Services;
  /** Runs a callback of the path manager's, and takes the blame for what it throws. */
  readonly guard: (event: string, callback: () => unknown) => void;
}

/** What one path manager works with; see PathManager for what each member promises. */
export class Context implements PathManager {
  readonly name: string;
  readonly options: unknown;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly connections: Connections;
  readonly endpoints: Endpoints;
  readonly limits: PathManager["limits"];
  readonly removalDelay: number;
  readonly #services: Services;
  readonly #guard: ContextOptions["guard"];

  constructor({ name, options, log, signal, services, guard }: ContextOptions) {
    const { kernel, table } = services;
    this.name = name;
    this.options = options;
    this.log = log;
    this.signal = signal;
    this.#services = services;
    this.#guard = guard;
    this.connections = table;
    this.removalDelay = services.removalDelay;
    // Who was stopped has no say any more. Asynchronous, so that what is wrong with an argument rejects as well.
    const running = async () => {
      signal.throwIfAborted();
      return kernel;
    };
    this.limits = {
      get: async () => (await running()).getLimits(),
      set: async ({ subflows, addAddrAccepted }) => {
        for (const limit of [subflows, addAddrAccepted]) requireLimit("set limits", limit);
        await (await running()).setLimits({ subflows, addAddrAccepted });
      },
    };
    this.endpoints = {
      list: async () => (await running()).dumpEndpoints(),
      get: async (id) => {
        requireEndpointId("show endpoint", id);
        return (await running()).getEndpoint(id);
      },
      add: async ({ address: given, flags: names = [], ...rest }) => {
        const { address, ...bound } = this.#bound(given);
        const what = `add endpoint ${address}`;
        requireId(what, rest.id);
        requirePort(what, rest.port);
        requireInterface(what, rest.ifIndex);
        const endpoint = {
          address: addressOf(what, address),
          ...bound,
          ...rest,
          flags: flagsOf(what, names),
        };
        await (await running()).addEndpoint(endpoint);
      },
      change: async (id, names) => {
        const what = `change endpoint id ${id}`;
        requireEndpointId(what, id);
        const flags = flagsOf(what, names);
        await (await running()).changeEndpoint({ id, flags });
      },
      remove: async (id) => {
        requireEndpointId("delete endpoint", id);
        await (await running()).removeEndpoint(id);
      },
      renew: async (given) => {
        const text = typeof given === "string" ? given : given.address;
        const address = addressOf(`renew endpoint ${text}`, text);
        await (await running()).renewEndpoint(address);
      },
      flush: async () => (await running()).flushEndpoints(),
    };
  }

  get network(): NetworkView {
    return this.#services.network();
  }

  async createSubflow(connection: Connection, options: CreateSubflowOptions): Promise<Subflow> {
    const what = `create subflow of connection ${tokenText(connection.token)}`;
    return await this.#forLive(connection, what, (record) => {
      const { backup, to: given } = options;
      const deadline = options.deadline === undefined ? undefined : checked(options.deadline);
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
    const what = `destroy subflow ${subflow.local.address} of connection ${tokenText(connection.token)}`;
    await this.#forLive(connection, what, (record) =>
      this.#services.subflows.destroy(record, this.#own(record, subflow, what)),
    );
  }

  async setBackup(connection: Connection, subflow: Subflow, backup: boolean): Promise<void> {
    const what = `change subflow ${subflow.local.address} of connection ${tokenText(connection.token)}`;
    await this.#forLive(connection, what, (record) => {
      const own = this.#own(record, subflow, what);
      if (backup === undefined) throw new ConnectionError(what, "EINVAL", "whether it is backup is not said");
      requireBoolean(what, "backup", backup);
      return this.#services.subflows.setBackup(record, own, backup);
    });
  }

  async announce(connection: Connection, options: AnnounceAddressOptions): Promise<Announcement> {
    const { address: given, ...rest } = options;
    const { address, ifIndex } = this.#bound(given);
    const what = `announce ${address} to connection ${tokenText(connection.token)}`;
    return await this.#forLive(connection, what, (record) => {
      requirePort(what, rest.port);
      requireBoolean(what, "listen", rest.listen);
      const request = { ...rest, ifIndex, address: addressOf(what, address), signal: this.signal };
      return this.#services.announcements.announce(record, request);
    });
  }

  async withdraw(connection: Connection, given: WithdrawnAddress): Promise<void> {
    const what = `withdraw an address from connection ${tokenText(connection.token)}`;
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
    checked(milliseconds);
    if (this.signal.aborted) return () => undefined;
    const end = (): void => {
      timer.cancel();
      this.signal.removeEventListener("abort", end);
    };
    const timer = this.#services.clock.schedule(milliseconds, () => {
      end();
      this.#guard("timer", callback);
    });
    this.signal.addEventListener("abort", end);
    return end;
  }

  every(milliseconds: number, callback: () => unknown): () => void {
    let ended = false;
    let cancel = (): void => undefined;
    const arm = (): void => {
      cancel = this.after(milliseconds, () => {
        if (!ended) arm();
        return callback();
      });
    };
    arm();
    return () => {
      ended = true;
      cancel();
    };
  }

  sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve, reject) => {
      checked(milliseconds);
      this.signal.throwIfAborted();
      const abort = (): void => {
        timer.cancel();
        reject(this.signal.reason);
      };
      const timer = this.#services.clock.schedule(milliseconds, () => {
        this.signal.removeEventListener("abort", abort);
        resolve();
      });
      this.signal.addEventListener("abort", abort, { once: true });
    });
  }

  /** Gives a command for a connection. */
  async #forLive<T>(
    connection: Connection,
    what: string,
    command: (record: ConnectionRecord) => Promise<T>,
  ): Promise<T> {
    const record = this.#live(connection, what);
    const { state } = record;
    try {
      return await command(record);
    } catch (error) {
      throw isOfClosed(error, record, state) ? closed(what) : error;
    }
  }

  /** The table's own record of a connection. */
  #live(connection: Connection, what: string): ConnectionRecord {
    this.signal.throwIfAborted();
    const record = this.#services.table.get(connection.token);
    if (record !== undefined && record === connection) return record;
    throw closed(what);
  }

  #own(connection: ConnectionRecord, subflow: Subflow, what: string): SubflowRecord {
    const record = connection.subflows.find((other) => other === subflow);
    if (record !== undefined) return record;
    throw new ConnectionError(what, "ESRCH", "the connection has no such subflow");
  }

  /** An address with its interface, if it is one of the network's. */
  #bound(given: string | LocalAddress): { address: string; ifIndex?: number } {
    if (typeof given !== "string") return { address: given.address, ifIndex: given.ifIndex };
    const known = this.network.addresses.find(({ address }) => address === canonicalIp(given));
    return known === undefined ? { address: given } : { address: known.address, ifIndex: known.ifIndex };
  }

  #source(
    connection: Connection,
    given: string | LocalAddress | NetworkInterface,
    to: string | undefined,
    what: string,
  ): { address: string; ifIndex?: number } {
    if (typeof given !== "object") return this.#bound(addressOf(what, given));
    if ("address" in given) return this.#bound(given);
    const first = ipFamily(to ?? connection.remote.address);
    const inOrder = given.addresses.toSorted(
      (a, b) => Number(b.family === first) - Number(a.family === first),
    );
    const reaches = ({ family }: LocalAddress): boolean =>
      to === undefined ? usualTarget(connection, family) !== undefined : family === first;
    const address = inOrder.find(reaches) ?? (to === undefined ? inOrder[0] : undefined);
    if (address !== undefined) return this.#bound(address);
    const kind = to === undefined ? "address that can be used" : `IPv${first} address`;
    throw new ConnectionError(what, "EADDRNOTAVAIL", `${given.name} has no ${kind}`);
  }
}

function closed(what: string): ConnectionClosedError {
  return new ConnectionClosedError(what, "ENOTCONN", "the connection is closed");
}

/**
 * Whether a command was refused as its connection has ended: the kernel knows that first. It tells by the token, or, of one
 * that was established before, by the socket (net/mptcp/subflow.c, __mptcp_subflow_connect).
 */
function isOfClosed(error: unknown, { state }: Connection, before: Connection["state"]): boolean {
  if (!(error instanceof KernelError)) return false;
  if (state === "closed" || /invalid token/.test(error.reason)) return true;
  return error.code === "ENOTCONN" && before === "established";
}

function checked(milliseconds: number): number {
  if (milliseconds >= 0 && milliseconds <= LONGEST) return milliseconds;
  throw new RangeError(
    `${milliseconds} is no time to wait: allowed are 0 to ${LONGEST} milliseconds (24 days)`,
  );
}
