/** The schemas of generic netlink's messages (include/uapi/linux/genetlink.h). */
import type { Table } from "./attribute-table.ts";
import { u8, u16 } from "./scalars.ts";
import { message, struct } from "./struct.ts";

/** struct genlmsghdr, before the attributes of every generic message. */
export const genericHeader = struct({ command: u8, version: u8, reserved: u16 });

/** The schema of a family's messages: its attributes after the generic header. */
export function genericMessage<const T extends Table>(table: T) {
  return message({ header: genericHeader, attributes: table });
}
