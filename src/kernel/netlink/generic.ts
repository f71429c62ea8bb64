/** Generic netlink (include/uapi/linux/genetlink.h): families that the kernel numbers at run time, found by name. */
import type { Table } from "./attribute-table.ts";
import { attributes, list, required, withDefault } from "./attributes.ts";
import type { Schema } from "./codec.ts";
import { body, type Dump, type NetlinkConnection, type Subscription } from "./connection.ts";
import { FamilyNotFoundError, KernelError } from "./errors.ts";
import { string, u8, u16, u32 } from "./scalars.ts";
import { message, struct } from "./struct.ts";
import type { NetlinkMessage } from "./wire.ts";

export const NETLINK_GENERIC = 16;

const GENL_ID_CTRL = 16;
const CTRL_CMD_GETFAMILY = 3;

/** struct genlmsghdr, before the attributes of every generic message. */
export const genericHeader = struct({ command: u8, version: u8, reserved: u16 });

/** The schema of a family's messages: its attributes after the generic header. */
export function genericMessage<const T extends Table>(table: T) {
  return message({ header: genericHeader, attributes: table });
}

/** enum of CTRL_ATTR_*: what the controller says of a family. */
export const controlMessage = genericMessage({
  familyId: u16(1),
  familyName: string(2),
  familyVersion: withDefault(u32(3), 1),
  groups: list(7, attributes({ name: required(string(1)), id: required(u32(2)) })),
});

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
      body: body(controlMessage, { command: CTRL_CMD_GETFAMILY, version: 2, familyName: name }),
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
  request<Out, In>(what: string, schema: Schema<Out, In>, value: GenericValue<In>): Promise<void> {
    return this.connection.request(this.#message(what, schema, value));
  }

  /** As `request`, sent at once from this thread: see NetlinkConnection. */
  requestNow<Out, In>(what: string, schema: Schema<Out, In>, value: GenericValue<In>): Promise<void> {
    return this.connection.requestNow(this.#message(what, schema, value));
  }

  get<Out, In, T>(
    what: string,
    schema: Schema<Out, In>,
    value: GenericValue<In>,
    read: (message: NetlinkMessage) => T | undefined,
  ): Promise<T[]> {
    return this.connection.get(this.#message(what, schema, value), read);
  }

  dump<Out, In, T>(
    what: string,
    schema: Schema<Out, In>,
    value: GenericValue<In>,
    read: (message: NetlinkMessage) => T | undefined,
  ): Promise<Dump<T>> {
    return this.connection.dump(this.#message(what, schema, value), read);
  }

  /** `handler` gets the family's own notifications. Throws FamilyNotFoundError if the family has no such group. */
  subscribe(group: string, handler: (message: NetlinkMessage) => void): Subscription {
    const number = this.groups.get(group);
    if (number === undefined) throw new FamilyNotFoundError(`${this.name} group ${group}`, undefined);
    return this.connection.subscribe(number, (message) => {
      if (message.type === this.id) handler(message);
    });
  }

  #message<Out, In>(what: string, schema: Schema<Out, In>, value: GenericValue<In>) {
    return { what, type: this.id, body: body(schema, { ...value, version: this.version }) };
  }
}

/** A message to send: its command, and its attributes by name. */
type GenericValue<In> = In & { readonly command: number };
