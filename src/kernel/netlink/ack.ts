import { attributes } from "./attributes.ts";
import { type ExtendedAck, NetlinkProtocolError } from "./errors.ts";
import type { Schema } from "./record.ts";
import { s32, string, u32 } from "./scalars.ts";
import { struct } from "./struct.ts";
import { align4, HEADER_LENGTH, type NetlinkMessage, NLM_F_ACK_TLVS, NLMSG_ERROR } from "./wire.ts";

/** What a request carries after its header, and the schema that names the attribute an error points at. */
export type Body = {
  readonly bytes: Uint8Array;
  readonly schema?: Pick<Schema<unknown>, "attributeAt" | "attributeNumbered">;
};

export function body<Out, In>(schema: Schema<Out, In>, value: In): Body {
  return { bytes: schema.encode(value), schema };
}

/** The payload of NLMSG_ERROR up to the header of the request that it quotes (struct nlmsgerr). */
export const acknowledgement = struct({ error: s32, requestLength: u32 });

/** enum nlmsgerr_attrs. Offsets count from the request's header. */
export const acknowledgementAttributes = attributes({
  message: string(1),
  offset: u32(2),
  missingType: u32(5),
  missingNest: u32(6),
});

/** The errno, positive, of an NLMSG_ERROR or NLMSG_DONE (0: success) and what the kernel says about it. */
export function readAck(message: NetlinkMessage, request: Body): { errno: number; extended: ExtendedAck } {
  const { input, start, end, flags } = message;
  // A dump that ends well may carry no number; old kernels send DONE with nothing.
  if (end - start < 4) {
    if (message.type === NLMSG_ERROR)
      throw new NetlinkProtocolError("an error message is cut short", { offset: start, length: end - start });
    return { errno: 0, extended: {} };
  }
  let attributesStart = start + 4;
  let errno = -s32.read(input, start, end);
  if (message.type === NLMSG_ERROR) {
    const { requestLength } = acknowledgement.decode(message);
    // The request is quoted whole: NETLINK_CAP_ACK, which would leave its header only, is not set.
    attributesStart += align4(requestLength);
  } else errno = Math.max(errno, 0); // NLMSG_DONE may carry a length, which is no error.
  if (errno === 0 || (flags & NLM_F_ACK_TLVS) === 0 || attributesStart >= end)
    return { errno: errno === 0 ? 0 : errno, extended: {} };
  const { message: words, ...where } = acknowledgementAttributes.read(input, attributesStart, end);
  return { errno, extended: { message: words, attribute: nameAttribute(request, where) } };
}

function nameAttribute(
  { bytes, schema }: Body,
  where: { offset?: number; missingType?: number; missingNest?: number },
): string | undefined {
  const { offset, missingType, missingNest } = where;
  if (offset !== undefined) return schema?.attributeAt(bytes, offset - HEADER_LENGTH);
  if (missingType === undefined) return undefined;
  const nest = missingNest === undefined ? undefined : missingNest - HEADER_LENGTH;
  return schema?.attributeNumbered(bytes, missingType, nest);
}
