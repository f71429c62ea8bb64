/** Generic netlink (include/uapi/linux/genetlink.h): families that the kernel numbers at run time, found by name. */
import { controlMessage, controlRequest } from "./codecs.ts";
import { body, type Dump, type NetlinkConnection, type Request, type Subscription } from "./connection.ts";
import { FamilyNotFoundError, KernelError } from "./errors.ts";
import type { Encoder } from "./message-codec.ts";
import type { NetlinkMessage } from "./wire.ts";

export const NETLINK_GENERIC = 16;

const GENL_ID_CTRL = 16;
const CTRL_CMD_GETFAMILY = 3;

/** Of struct genlmsghdr: u8 command, u8 version, u16 reserved. */
export const GENERIC_HEADER_LENGTH = 4;

/** A family, as it is numbered in this kernel, over one connection. */
export class GenericFamily {
  readonly name: string;
  readonly id: number;
  readonly version: number;
  /** Multicast groups: numbers by name. */
  readonly groups: ReadonlyMap<string, number>;
  readonly connection: NetlinkConnection;

  /** Throws FamilyNotFoundError if the kernel does not have it. */
  static async resolve(connection: NetlinkConnection, name: string): Promise<GenericFamily> {
    const request = {
      what: `find generic netlink family "${name}"`,
      type: GENL_ID_CTRL,
      body: body(controlRequest, { command: CTRL_CMD_GETFAMILY, version: 2, familyName: name }),
    };
    try {
      const [reply] = await connection.get(request, (message) => controlMessage.decode(message));
      if (reply?.familyId === undefined) throw new FamilyNotFoundError(name, undefined);
      return new GenericFamily(connection, name, reply.familyId, reply.familyVersion, reply.groups ?? []);
    } catch (error) {
      throw error instanceof KernelError && error.code === "ENOENT"
        ? new FamilyNotFoundError(name, error)
        : error;
    }
  }

  private constructor(
    connection: NetlinkConnection,
    name: string,
    id: number,
    version: number,
    groups: readonly { name: string; id: number }[],
  ) {
    this.connection = connection;
    this.name = name;
    this.id = id;
    this.version = version;
    this.groups = new Map(groups.map((group) => [group.name, group.id]));
  }

  /** A command that changes something. `what` completes "cannot …". */
  request<In>(what: Request["what"], encoder: Encoder<In>, value: GenericValue<In>): Promise<void> {
    return this.connection.request(this.message(what, encoder, value));
  }

  /** As `request`, sent at once from this thread: see NetlinkConnection. */
  requestNow<In>(what: Request["what"], encoder: Encoder<In>, value: GenericValue<In>): Promise<void> {
    return this.connection.requestNow(this.message(what, encoder, value));
  }

  get<In, T>(
    what: Request["what"],
    encoder: Encoder<In>,
    value: GenericValue<In>,
    read: (message: NetlinkMessage) => T | undefined,
  ): Promise<T[]> {
    return this.connection.get(this.message(what, encoder, value), read);
  }

  dump<In, T>(
    what: Request["what"],
    encoder: Encoder<In>,
    value: GenericValue<In>,
    read: (message: NetlinkMessage) => T | undefined,
  ): Promise<Dump<T>> {
    return this.connection.dump(this.message(what, encoder, value), read);
  }

  /** `handler` gets the family's own notifications. Throws FamilyNotFoundError if the family has no such group. */
  subscribe(group: string, handler: (message: NetlinkMessage) => void): Subscription {
    const number = this.groups.get(group);
    if (number === undefined) throw new FamilyNotFoundError(`${this.name} group ${group}`, undefined);
    return this.connection.subscribe(number, (message) => {
      if (message.type === this.id) handler(message);
    });
  }

  /** A request to this family, for its connection. */
  message<In>(what: Request["what"], encoder: Encoder<In>, value: GenericValue<In>): Request<In> {
    return { what, type: this.id, body: { encoder, value, version: this.version } };
  }
}

/** A message to send: its command, and its attributes by name. */
type GenericValue<In> = In & { readonly command: number };
