import { unmapped } from "../../kernel/netlink/ip.ts";
import type { AnnouncedAddress, Connection, Known, Place, SocketAddress, Subflow } from "./connection.ts";

/** A subflow as the table keeps it; `Subflow` is what others see of it. */
export class SubflowRecord implements Subflow {
  readonly remote: SocketAddress;
  readonly localId: number;
  initial = false;
  /** It belongs to an IPv6 socket though its addresses are IPv4: the kernel wants them as ::ffff:a.b.c.d. */
  mapped = false;
  local: SocketAddress;
  remoteId = 0;
  state: Subflow["state"] = "connecting";
  ifIndex = 0;
  localBackup = false;
  remoteBackup = false;
  /** The last listing of sockets did not have it. */
  missed = false;

  /** A subflow that joins a connection, before anything more is known of it. */
  constructor(local: SocketAddress, remote: SocketAddress, localId: number) {
    this.local = local;
    this.remote = remote;
    this.localId = localId;
  }

  get backup(): boolean {
    return this.localBackup || this.remoteBackup;
  }
}

export const noSubflows: readonly SubflowRecord[] = [];
export const noAddresses: readonly AnnouncedAddress[] = [];

const ipv4Alone = [4] as const;
const bothFamilies = [4, 6] as const;

/** A connection as the table keeps it. There may be a hundred thousand: no member that is not needed. */
export class ConnectionRecord implements Connection {
  readonly token: number;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  state: Connection["state"] = "created";
  serverSide: Known<boolean> = "unknown";
  denyJoinId0: Known<boolean> = "unknown";
  families: Connection["families"];
  pathManager: Connection["pathManager"] = "unknown";
  subflows: readonly SubflowRecord[] = noSubflows;
  announced: readonly AnnouncedAddress[] = noAddresses;
  announcedIsComplete = false;
  /** The last listing of sockets did not have it. */
  missed = false;

  constructor(token: number, local: SocketAddress, remote: SocketAddress, socketFamily: 4 | 6) {
    this.token = token;
    this.families = socketFamily === 4 ? ipv4Alone : bothFamilies;
    this.local = local;
    this.remote = remote;
  }

  /** A subflow of this family was refused, though its two ends are of one. */
  excludeFamily(family: 4 | 6): void {
    this.families = this.families.filter((other) => other !== family);
  }

  uses(place: Place): boolean {
    return this.subflows.some(({ local }) => isAt(local.address, place));
  }

  add(subflow: SubflowRecord): void {
    // Unlike what is spread, this has no room for more.
    this.subflows = this.subflows.concat(subflow);
  }

  remove(subflow: SubflowRecord): void {
    this.subflows = this.subflows.filter((other) => other !== subflow);
  }
}

function isAt(address: string, place: Place): boolean {
  if (typeof place === "string") return place === address;
  if ("address" in place) return place.address === address;
  return place.addresses.some((other) => other.address === address);
}

interface Ends {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
}

type Given = Pick<SocketAddress, "address"> & { readonly port?: number | undefined };

/**
 * The subflow that the kernel would be asked for by these ends: by those that people see, or by those that the kernel
 * knows where its socket is a dual-stack one, with IPv4 addresses as ::ffff:10.0.0.1.
 */
export function findSubflow<T extends Ends>(
  subflows: readonly T[],
  local: Given,
  remote: Given,
): T | undefined {
  return subflows.find((subflow) => isEnd(subflow.local, local) && isEnd(subflow.remote, remote));
}

function isEnd(end: SocketAddress, { address, port }: Given): boolean {
  return end.address === unmapped(address) && end.port === port;
}
