import type { GenericSchema, InferOutput } from "valibot";
import type { Logger } from "../../base/log/log.ts";
import type { Announcement } from "../../control/connections/announcements.ts";
import type {
  AnnouncedAddress,
  CloseReason,
  Connection,
  SocketAddress,
  Subflow,
} from "../../control/connections/connection.ts";
import type { PolicyConfig } from "../../control/policy/host-addresses.ts";
import type { Endpoint, EndpointFlag, Limits } from "../../kernel/mptcp-pm.ts";
import type { LocalAddress, NetworkInterface, NetworkView } from "./network-view.ts";

/**
 * Declares a path manager; a module's default export. What is not said is inferred: `options` gives `pm.options` its
 * type.
 *
 *     export default definePathManager({
 *       name: "wifi-first",
 *       setup: (pm) => ({
 *         async connectionEstablished(connection) {
 *           for (const uplink of pm.network.uplinks)
 *             if (!connection.uses(uplink)) await pm.createSubflow(connection, { from: uplink });
 *         },
 *       }),
 *     });
 */
export function definePathManager<const Schema extends OptionsSchema = OptionsSchema<unknown>>(
  definition: PathManagerDefinition<Schema>,
): PathManagerDefinition<Schema> & Brand {
  return { ...definition, [brand]: 1 };
}

/** A valibot schema that takes what a [plugin NAME] section says: an object of strings. */
export type OptionsSchema<Output = unknown> = GenericSchema<unknown, Output>;

export interface PathManagerDefinition<Schema extends OptionsSchema = OptionsSchema> {
  /** By which `path-manager`, `load-plugins` and `[plugin NAME]` mean it: letters, digits and `_ . -`. */
  readonly name: string;
  readonly description?: string;
  /** -20 to 19, 0 if not given; lower comes first. */
  readonly priority?: number;
  readonly options?: Schema;
  /**
   * The kernel's path manager (net.mptcp.path_manager) that new connections need to have. If not given: `userspace`,
   * which commands for single connections take, with `setup`; else `kernel`, which uses endpoints. `any`: both will do.
   */
  readonly needs?: "userspace" | "kernel" | "any";
  /**
   * For the kernel's own path manager: the endpoints that this host should have now. A pure function, called whenever
   * the network has changed. mptcpd makes them so, and keeps to what holds for all: the kernel's limits, endpoints of
   * others, [path] rules, and no haste in deleting what connections use.
   */
  endpoints?(
    network: NetworkView,
    config: PolicyConfig,
    options: InferOutput<Schema>,
  ): readonly EndpointWish[];
  /** For single connections: begins, and says what it wants to hear of. */
  setup?(pm: PathManager<InferOutput<Schema>>): Handlers | undefined | Promise<Handlers | undefined>;
}

/** An address that is to be an endpoint. What is not said is as its [path] section, or else [core], has it. */
export interface EndpointWish {
  readonly address: LocalAddress;
  readonly flags?: readonly EndpointFlag[];
  readonly port?: number;
  /** Lower first, where there are more than slots. */
  readonly priority?: number;
}

/**
 * What a path manager is told. Events come in the order in which things happen, and do not wait for each other: what an
 * asynchronous handler knows may be out of date after each `await`. Connections, interfaces and addresses that are
 * there at the start are told as if they had just come. Whatever is thrown counts as a fault, but for what commands
 * reject with.
 */
export interface Handlers {
  /** The handshake has begun; no subflow can be added yet. */
  newConnection?(connection: Connection): unknown;
  connectionEstablished?(connection: Connection): unknown;
  connectionClosed?(connection: Connection): unknown;
  /** The peer announces an address (ADD_ADDR). */
  newAddress?(connection: Connection, address: AnnouncedAddress): unknown;
  /** The peer withdraws one (REMOVE_ADDR). Only its id is known, where it was never announced. */
  addressRemoved?(connection: Connection, address: { readonly id: number } & Partial<SocketAddress>): unknown;
  /** A further subflow is established, whoever made it. */
  newSubflow?(connection: Connection, subflow: Subflow): unknown;
  /**
   * A subflow has ended, the initial one included. Not told: `createSubflow` that fails, and the end of the connection.
   */
  subflowClosed?(connection: Connection, subflow: Subflow, reason: CloseReason): unknown;
  /**
   * The peer has changed whether a subflow is backup (MP_PRIO), or another program of this host has. Not told:
   * `setBackup`.
   */
  subflowPriority?(connection: Connection, subflow: Subflow): unknown;
  /** A program listens with an MPTCP socket (Linux 6.2). */
  listenerCreated?(listener: SocketAddress): unknown;
  listenerClosed?(listener: SocketAddress): unknown;
  /** An interface is up and has a carrier. */
  newInterface?(one: NetworkInterface): unknown;
  /** Its name, flags or default route have changed. */
  updateInterface?(one: NetworkInterface, before: NetworkInterface): unknown;
  deleteInterface?(one: NetworkInterface): unknown;
  /** An address can be used. */
  newLocalAddress?(address: LocalAddress, one: NetworkInterface): unknown;
  deleteLocalAddress?(address: LocalAddress, one: NetworkInterface): unknown;
}

export type HandlerName = keyof Handlers;

/** What a handler is told. */
export type Details<Name extends HandlerName> = Parameters<NonNullable<Handlers[Name]>>;

/**
 * What a path manager works with. Promises settle with the kernel's own answer; they reject with errors that have a
 * `code`.
 */
export interface PathManager<Options = unknown> {
  readonly name: string;
  /** Of its [plugin NAME] section. */
  readonly options: Options;
  /** Its lines begin with the path manager's name. */
  readonly log: Logger;
  /** Aborted when it is unloaded. Timers and listening sockets end with it by themselves. */
  readonly signal: AbortSignal;
  /** The network as it is now. */
  readonly network: NetworkView;
  /** All connections, also those of the kernel's own path manager. */
  readonly connections: Connections;

  /**
   * Adds a subflow; resolves when it is established. ECONNREFUSED, ECONNRESET: by the peer. ETIMEDOUT: no answer within
   * the deadline. EADDRNOTAVAIL: the address is not ours, or none of the peer is known to connect to.
   */
  createSubflow(connection: Connection, options: CreateSubflowOptions): Promise<Subflow>;
  /** ESRCH: it is not there any more. */
  destroySubflow(connection: Connection, subflow: Subflow): Promise<void>;
  /** Tells the peer to use a subflow only where no other is left, or no longer so (MP_PRIO). */
  setBackup(connection: Connection, subflow: Subflow, backup: boolean): Promise<void>;
  /**
   * Tells the peer of an address of this host (ADD_ADDR). EADDRINUSE: `listen`, but a program listens there already.
   */
  announce(connection: Connection, options: AnnounceAddressOptions): Promise<Announcement>;
  /**
   * Takes an address back (REMOVE_ADDR), with every port that it has, and ends its subflows. It may wait for up to 200
   * ms after the last that was announced or withdrawn, as peers drop what comes too early. ENOENT: it was not
   * announced.
   */
  withdraw(connection: Connection, address: WithdrawnAddress): Promise<void>;

  /**
   * The kernel's endpoints, as `ip mptcp endpoint`. mptcpd leaves alone what is added here. Endpoints that neither
   * mptcpd nor a path manager has made cannot be changed.
   */
  readonly endpoints: Endpoints;
  readonly limits: { get(): Promise<Limits>; set(limits: Limits): Promise<void> };

  /** Milliseconds that what goes from an address outlives it: `removal-delay` of the configuration. */
  readonly removalDelay: number;
  /** Milliseconds of a clock that never runs backwards; the simulation's in tests. */
  now(): number;
  /** Calls once, after so many milliseconds (up to 24 days, here and below). Returns what cancels it. */
  after(milliseconds: number, callback: () => unknown): () => void;
  /** Calls again and again. Returns what ends it. */
  every(milliseconds: number, callback: () => unknown): () => void;
  /** Resolves after so many milliseconds; rejects when the path manager is unloaded. */
  sleep(milliseconds: number): Promise<void>;
}

export interface Connections extends Iterable<Connection> {
  readonly size: number;
  get(token: number): Connection | undefined;
}

export interface CreateSubflowOptions {
  /**
   * An address, or an interface: then its best address that reaches the peer is taken, of the family of `to` or else of
   * the initial subflow if there is one. The subflow is bound to its interface, so that its packets leave by that
   * whatever the routes say.
   */
  readonly from: string | LocalAddress | NetworkInterface;
  /**
   * If not given: where the initial subflow goes, or else an address that the peer has announced. Without a port: that
   * of the initial subflow.
   */
  readonly to?: string | { readonly address: string; readonly port?: number };
  readonly backup?: boolean;
  /** Milliseconds; 10,000 if not given. */
  readonly deadline?: number;
}

export interface AnnounceAddressOptions {
  readonly address: string | LocalAddress;
  /**
   * If not given: that of the initial subflow. 0, with `listen`: any that is free. An IPv6 address with a port does not
   * fit beside TCP timestamps: before Linux 7.2 no peer hears of it while these are on (net.ipv4.tcp_timestamps).
   */
  readonly port?: number;
  /**
   * Opens a listening socket there, for where no program listens. Closed when the address is withdrawn, and with the
   * connection.
   */
  readonly listen?: boolean;
}

export type WithdrawnAddress = string | LocalAddress | Announcement | { readonly id: number };

export interface Endpoints {
  list(): Promise<Endpoint[]>;
  get(id: number): Promise<Endpoint | undefined>;
  /** ERANGE: no slot is left. EEXIST: the address is an endpoint already. EBUSY: the id is taken. */
  add(endpoint: {
    readonly address: string | LocalAddress;
    readonly flags?: readonly EndpointFlag[];
    readonly id?: number;
    readonly port?: number;
    /** If not given: the interface that has the address. 0: none. */
    readonly ifIndex?: number;
  }): Promise<void>;
  /**
   * Sets `backup` and `fullmesh`, or clears what is not named of the two. EPERM: somebody else has made it. mptcpd sets
   * those of its own back to what the configuration says.
   */
  change(id: number, flags: readonly EndpointFlag[]): Promise<void>;
  /** Ends the subflows of its address. EPERM: somebody else has made it. */
  remove(id: number): Promise<void>;
  /**
   * Deletes the endpoint of an address and adds it again: then the kernel's path manager tries the subflows again that
   * connections have lost there. Ends those that connections still have there. ENOENT: the address is not an endpoint
   * that makes subflows. EPERM: somebody else has made it. EAGAIN: mptcpd is about to remove it.
   */
  renew(address: string | LocalAddress): Promise<void>;
  /** Removes what path managers have added, and what mptcpd has made, which it makes again. */
  flush(): Promise<void>;
}

const brand = Symbol.for("mptcpd.path-manager");
type Brand = { readonly [brand]: 1 };

/** Whether a module's export was made by definePathManager, of this copy of the library or another. */
export function isPathManager(value: unknown): value is PathManagerDefinition {
  return typeof value === "object" && value !== null && brand in value;
}
