import { systemClock } from "../base/clock.ts";
import { type MptcpEventHandlers, openEvents } from "./mptcp-pm-events.ts";
import { refusalOf } from "./mptcp-pm-refusals.ts";
import {
  command,
  type Endpoint,
  type EndpointFlag,
  endpointFlags,
  type Limits,
  type NewEndpoint,
  nameOf,
  nameOfSubflow,
  pmMessage,
  type SubflowKey,
  toAttributes,
  toEndpoint,
  tokenText,
} from "./mptcp-pm-schema.ts";
import type { Bits } from "./netlink/bits.ts";
import {
  type ConnectionOptions,
  NetlinkConnection,
  type Request,
  type Subscription,
} from "./netlink/connection.ts";
import { KernelError, NetlinkError } from "./netlink/errors.ts";
import { GenericFamily, NETLINK_GENERIC } from "./netlink/generic.ts";
import type { Encodable } from "./netlink/schema.ts";
import { SendingThread } from "./sending-thread.ts";

export type { MptcpEvent } from "./mptcp-pm-events.ts";
export {
  type Endpoint,
  type EndpointFlag,
  endpointFlags,
  type Limits,
  type LocalEnd,
  type NewEndpoint,
  type SubflowEnd,
  type SubflowKey,
  tokenText,
} from "./mptcp-pm-schema.ts";

/** What SET_FLAGS takes notice of (net/mptcp/pm_kernel.c, mptcp_pm_nl_set_flags). */
export const changeableFlags = endpointFlags.of("backup", "fullmesh");

/** Bytes of a receive buffer for whoever must not lose events: half a second of them at 40,000 a second. */
export const EVENT_BUFFER = 32 * 1024 * 1024;

/**
 * The path manager of the kernel, in the network namespace of this process. Methods reject as NetlinkConnection's
 * requests do; a KernelError's message names the endpoint and gives the kernel's words. Changing anything needs
 * CAP_NET_ADMIN in the user namespace that owns the network namespace: else EPERM.
 */
export class MptcpPm {
  readonly #family: GenericFamily;
  readonly #options: ConnectionOptions;
  readonly #eventConnections = new Set<NetlinkConnection>();
  readonly #additions: SendingThread;
  readonly #connectionCommands: SendingThread;
  #takesTokens: Promise<boolean> | undefined;

  /** FamilyNotFoundError: this kernel has no MPTCP (CONFIG_MPTCP). */
  static async open(options: Omit<ConnectionOptions, "protocol"> = {}): Promise<MptcpPm> {
    const whole = { ...options, protocol: NETLINK_GENERIC };
    const connection = NetlinkConnection.open(whole);
    try {
      return new MptcpPm(await GenericFamily.resolve(connection, "mptcp_pm"), whole);
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  private constructor(family: GenericFamily, options: ConnectionOptions) {
    this.#family = family;
    this.#options = options;
    const { clock = systemClock } = options;
    this.#additions = new SendingThread(clock, SLOW_ADDITION);
    this.#connectionCommands = new SendingThread(clock, SLOW_CONNECTION_COMMAND);
  }

  /**
   * By id, as the kernel lists them. With a token: the addresses that this connection has used, of the userspace path
   * manager. EOPNOTSUPP: before Linux 6.10, which would take no notice of the token.
   */
  async dumpEndpoints(token?: number): Promise<Endpoint[]> {
    if (token !== undefined) await this.#requireTokens();
    const what = token === undefined ? "list endpoints" : `list addresses of connection ${tokenText(token)}`;
    const { items } = await this.#family.dump(
      what,
      pmMessage,
      { command: command.getAddr, token },
      toEndpoint,
    );
    return items;
  }

  /** Undefined if there is none. With a token: of that connection; EOPNOTSUPP as above. */
  async getEndpoint(id: number, token?: number): Promise<Endpoint | undefined> {
    if (token !== undefined) await this.#requireTokens();
    const request = { command: command.getAddr, address: { id }, token };
    try {
      return (await this.#family.get(() => `get endpoint ${id}`, pmMessage, request, toEndpoint))[0];
    } catch (error) {
      if (token === undefined && refusalOf(error) === "no-such-endpoint") return undefined;
      throw error;
    }
  }

  /**
   * ERANGE: no slot is left. EEXIST: the address is an endpoint already. EBUSY: the id is taken. Before Linux 6.2, all
   * three are EINVAL. EINVAL: flags that exclude each other, or a port without `signal`. For a port the kernel opens a
   * listener, so the address must be there (EADDRNOTAVAIL) and the port free (EADDRINUSE). An id or a port of 0 is
   * none.
   */
  addEndpoint({ address, flags, id = 0, port = 0, ifIndex }: NewEndpoint): Promise<void> {
    const local = { address, flags, id: id || undefined, port: port || undefined, ifIndex };
    const value = { command: command.addAddr, address: toAttributes(local) };
    const what = () => `add endpoint ${nameOf({ address, port })}`;
    return this.#additions.send(this.#family.connection, this.#family.message(what, pmMessage, value));
  }

  /**
   * Deletes by id; the kernel looks at nothing else, but for id 0, the first subflow's address of every connection,
   * which must be named. All subflows from the address are closed. The kernel may hold the sender for 18 ms (RCU).
   */
  deleteEndpoint({ id, address }: { id: number; address?: string }): Promise<void> {
    const what = () => `delete endpoint ${address === undefined ? "" : `${address} `}id ${id}`;
    return this.#change(what, {
      command: command.delAddr,
      address: address === undefined ? { id } : { ...toAttributes({ address }), id },
    });
  }

  /** Deletes all. */
  flushEndpoints(): Promise<void> {
    return this.#change("flush endpoints", { command: command.flushAddrs });
  }

  /**
   * Sets or clears `backup` and `fullmesh` of the endpoint with this id, or else this address and port; of the other
   * flags the kernel takes no notice. EINVAL: not found, or `fullmesh` on a `signal` endpoint.
   */
  changeEndpoint(
    endpoint: ({ readonly id: number } | { readonly address: string; readonly port?: number }) & {
      readonly flags: Bits<EndpointFlag>;
    },
  ): Promise<void> {
    const flags = endpointFlags.from(endpoint.flags.value & changeableFlags.value);
    if ("id" in endpoint)
      return this.#change(`change endpoint id ${endpoint.id}`, {
        command: command.setFlags,
        address: { id: endpoint.id, flags },
      });
    const { address, port } = endpoint;
    const attributes = toAttributes(port === undefined ? { address, flags } : { address, port, flags });
    return this.#change(`change endpoint ${nameOf(endpoint)}`, {
      command: command.setFlags,
      address: attributes,
    });
  }

  async getLimits(): Promise<Limits> {
    const request = { command: command.getLimits };
    const [limits] = await this.#family.get("get limits", pmMessage, request, (message) =>
      pmMessage.decode(message),
    );
    return { subflows: limits?.subflows ?? 0, addAddrAccepted: limits?.addAddrAccepted ?? 0 };
  }

  /** Both, at once. EINVAL: more than the kernel's maximum, which the extended ack tells. */
  setLimits({ subflows, addAddrAccepted }: Limits): Promise<void> {
    const what = `set limits to subflows ${subflows}, add_addr_accepted ${addAddrAccepted}`;
    return this.#family.requestNow(what, pmMessage, {
      command: command.setLimits,
      subflows,
      addAddrAccepted,
    });
  }

  // What follows is for connections of the userspace path manager (net/mptcp/pm_userspace.c), by their token.

  /** Sends ADD_ADDR. The id must not be 0. To be connected to, the address needs a listener of the caller's. */
  announce(address: {
    token: number;
    address: string;
    id: number;
    port?: number;
    ifIndex?: number;
  }): Promise<void> {
    const { token, ...local } = address;
    const what = () => `announce ${nameOf(local)} id ${local.id} to connection ${tokenText(token)}`;
    return this.#changeConnection(what, {
      command: command.announce,
      token,
      address: toAttributes({ ...local, flags: endpointFlags.of("signal") }),
    });
  }

  /** Sends REMOVE_ADDR, and closes the subflows from that address. */
  remove({ token, id }: { token: number; id: number }): Promise<void> {
    const what = () => `withdraw address id ${id} from connection ${tokenText(token)}`;
    return this.#changeConnection(what, { command: command.remove, token, localId: id });
  }

  /** Starts to connect; the event subflowEstablished says that it worked. `flags`: `backup` or none. */
  createSubflow(subflow: SubflowKey & { readonly flags?: Bits<EndpointFlag> }): Promise<void> {
    const { token, local, remote, flags } = subflow;
    return this.#changeConnection(() => `create ${nameOfSubflow(subflow)}`, {
      command: command.subflowCreate,
      token,
      address: toAttributes(flags === undefined ? local : { ...local, flags }),
      remote: toAttributes(remote),
    });
  }

  destroySubflow(subflow: SubflowKey): Promise<void> {
    const { token, local, remote } = subflow;
    return this.#changeConnection(() => `destroy ${nameOfSubflow(subflow)}`, {
      command: command.subflowDestroy,
      token,
      address: toAttributes(local),
      remote: toAttributes(remote),
    });
  }

  /** Sends MP_PRIO: `backup` or none. */
  setSubflowFlags(subflow: SubflowKey & { readonly flags: Bits<EndpointFlag> }): Promise<void> {
    const { token, local, remote, flags } = subflow;
    return this.#changeConnection(() => `set flags of ${nameOfSubflow(subflow)}`, {
      command: command.setFlags,
      token,
      address: toAttributes({ ...local, flags }),
      remote: toAttributes(remote),
    });
  }

  /**
   * What connections, subflows and listeners do, from now on. Comes by a socket of its own, so that a burst of events
   * costs no reply to a command. EPERM without CAP_NET_ADMIN.
   */
  events(handlers: MptcpEventHandlers): Subscription {
    const connection = openEvents(this.#family, this.#options, handlers);
    this.#eventConnections.add(connection);
    const close = () => {
      this.#eventConnections.delete(connection);
      connection.close();
    };
    return { close };
  }

  /** An open one keeps the process running, subscriptions to events included. */
  close(): void {
    this.#family.connection.close();
    for (const connection of this.#eventConnections) connection.close();
  }

  /** Newer kernels refuse a token that no connection has; 0 is none's. */
  async #requireTokens(): Promise<void> {
    const request = { command: command.getAddr, token: 0 };
    this.#takesTokens ??= this.#family
      .dump("probe for tokens", pmMessage, request, () => undefined)
      .then(
        () => false,
        (error) => {
          if (error instanceof KernelError) return true;
          this.#takesTokens = undefined;
          throw error;
        },
      );
    if (!(await this.#takesTokens))
      throw new NetlinkError(
        "EOPNOTSUPP",
        "this kernel does not list the addresses of connections: it takes Linux 6.10",
      );
  }

  /** A command for one connection. */
  #changeConnection(what: Request["what"], value: Command): Promise<void> {
    return this.#connectionCommands.send(
      this.#family.connection,
      this.#family.message(what, pmMessage, value),
    );
  }

  #change(what: Request["what"], value: Command): Promise<void> {
    return this.#family.request(what, pmMessage, value);
  }
}

type Command = Encodable<typeof pmMessage> & { readonly command: number };

/**
 * Milliseconds. To add an endpoint the kernel visits every MPTCP connection of the namespace: of few, that takes less
 * than handing the request to a thread.
 */
const SLOW_ADDITION = 2;

/**
 * Milliseconds. The kernel takes a tenth of one for a connection, unless its program holds the socket or the processor
 * is busy.
 */
const SLOW_CONNECTION_COMMAND = 10;
