import type { SocketAddress } from "../../kernel/sockets.ts";

export { tokenText } from "../../kernel/mptcp-pm.ts";

export type { SocketAddress };

/** A fact that the kernel tells once, when it happens: "unknown" for connections that are older than mptcpd. */
export type Known<T> = T | "unknown";

/**
 * An MPTCP connection of this network namespace, as it is now: the same object from its first event to its last. Lists
 * are replaced and not changed, so one may be walked while the connection goes on. IPv4 addresses of dual-stack sockets
 * are IPv4 addresses here.
 */
export interface Connection {
  /** By which the kernel knows it (RFC 8684, 3.2): 32 bits, of this host's choice. */
  readonly token: number;
  /** `created`: the handshake is not confirmed yet. `established`: subflows may be added. */
  readonly state: "created" | "established" | "closed";
  /** This host's end of the initial subflow, also when that is gone. */
  readonly local: SocketAddress;
  /** The peer's end of the initial subflow. */
  readonly remote: SocketAddress;
  /** Whether this host accepted the connection; else it made it. */
  readonly serverSide: Known<boolean>;
  /** The peer takes no subflows to the address of the initial one (RFC 8684, 3.1: flag C). */
  readonly denyJoinId0: Known<boolean>;
  /**
   * What IP families its socket takes subflows of: an IPv4 socket IPv4 alone, an IPv6 socket both, unless it is for
   * IPv6 only, which is known when it was tried.
   */
  readonly families: readonly (4 | 6)[];
  /** Who manages its subflows. Known after the first attempt to change them, and fixed for the connection's life. */
  readonly pathManager: Known<"kernel" | "userspace">;
  /** Subflows that are connecting or established, the initial one (while it lives) first. */
  readonly subflows: readonly Subflow[];
  /** The addresses that the peer has announced (ADD_ADDR) and not withdrawn. */
  readonly announced: readonly AnnouncedAddress[];
  /** Whether `announced` is all of them: not if the connection is older than we are, or events were lost. */
  readonly announcedIsComplete: boolean;

  /** Whether a subflow goes, or is about to go, from an address or from any of an interface's. */
  uses(place: Place): boolean;
}

/** An address, or something that has addresses of this host. */
export type Place =
  | string
  | { readonly address: string }
  | { readonly addresses: readonly { readonly address: string }[] };

/** A TCP connection that carries a part of an MPTCP connection. */
export interface Subflow {
  /** The port is 0 while it is connecting and the kernel has not told it. */
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  /** Address ids (RFC 8684, 3.2): by which the other side knows each end. */
  readonly localId: number;
  readonly remoteId: number;
  readonly state: "connecting" | "established" | "closed";
  /** The one that the connection began with. */
  readonly initial: boolean;
  /** The interface that it is bound to; 0 none. */
  readonly ifIndex: number;
  /** Used only where no other is left: because this host asked for that, or the peer did. */
  readonly backup: boolean;
  readonly localBackup: boolean;
  readonly remoteBackup: boolean;
}

/** An address of the peer's, with the id that it has there. */
export interface AnnouncedAddress extends SocketAddress {
  readonly id: number;
}

/** Why a subflow is closed; nothing, where an end closed it in good order. */
export interface CloseReason {
  /** An errno, positive, and its name: 104 ECONNRESET. */
  readonly error?: number | undefined;
  readonly code?: string | undefined;
  /** What the reset said, MPTCP_RST_* (RFC 8684, 3.6). */
  readonly resetReason?: number | undefined;
  readonly resetFlags?: number | undefined;
}

/** The changes of connections, in the order in which they happen. */
export type ConnectionChange =
  | {
      readonly type: "newConnection" | "connectionEstablished" | "connectionClosed";
      readonly connection: Connection;
    }
  | {
      readonly type: "newAddress";
      readonly connection: Connection;
      readonly address: AnnouncedAddress;
    }
  | {
      readonly type: "addressRemoved";
      readonly connection: Connection;
      /** Only the id, where the address was never announced, or before our time. */
      readonly address: { readonly id: number } & Partial<SocketAddress>;
    }
  | {
      readonly type: "newSubflow" | "subflowPriority";
      readonly connection: Connection;
      readonly subflow: Subflow;
    }
  | {
      readonly type: "subflowClosed";
      readonly connection: Connection;
      readonly subflow: Subflow;
      readonly reason: CloseReason;
    };

/** The error of a path manager's command, if it is not the kernel's own refusal (KernelError). */
export class ConnectionError extends Error {
  override readonly name: string = "ConnectionError";
  /** An errno's name where one fits: ECONNREFUSED, ETIMEDOUT, ECONNRESET… */
  readonly code: string;
  /** What was asked for, as in "create subflow 10.0.2.2 to 10.0.1.1 port 80 of connection 0x1234abcd". */
  readonly what: string;

  constructor(what: string, code: string, reason: string) {
    super(`cannot ${what}: ${reason} (${code})`);
    this.code = code;
    this.what = what;
  }
}

/** The connection has ended. The caller of the command is told of that in any case. */
export class ConnectionClosedError extends ConnectionError {
  override readonly name = CLOSED;
}

const CLOSED = "ConnectionClosedError";

/** By its name: the library that a module imports has classes of its own. */
export function isConnectionClosed(error: unknown): boolean {
  return error instanceof Error && error.name === CLOSED;
}

/** Not a connection that is beginning or closed, and not one that the kernel's own path manager manages. */
export function takesCommands({ state, pathManager }: Connection): boolean {
  return state === "established" && pathManager !== "kernel";
}
