/** The messages of netlink itself, and of generic netlink's controller. */
import { attributes, list, required, withDefault } from "./attributes.ts";
import { genericMessage } from "./generic-message.ts";
import { s32, string, u16, u32 } from "./scalars.ts";
import { struct } from "./struct.ts";

/** The payload of NLMSG_ERROR up to the header of the request that it quotes (struct nlmsgerr). */
export const acknowledgement = struct({ error: s32, requestLength: u32 });

/** enum nlmsgerr_attrs. Offsets count from the request's header. */
export const acknowledgementAttributes = attributes({
  message: string(1),
  offset: u32(2),
  missingType: u32(5),
  missingNest: u32(6),
});

/** enum of CTRL_ATTR_*: what the controller says of a family. */
export const controlMessage = genericMessage({
  familyId: u16(1),
  familyName: string(2),
  familyVersion: withDefault(u32(3), 1),
  groups: list(7, attributes({ name: required(string(1)), id: required(u32(2)) })),
});

/** Asks for a family by its name. */
export const controlRequest = genericMessage({ familyName: string(2) });

/** The messages that the programs read. */
export const received = { acknowledgement, acknowledgementAttributes, controlMessage };

/** The messages that they write. */
export const sent = { controlRequest };
