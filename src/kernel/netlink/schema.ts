/**
 * The schema language in one import: messages, attributes and structs by declaration.
 *
 * A schema reads and writes by itself, which is for messages that are declared at run time, by users of mptcpd/netlink,
 * and for tests. The programs exchange the messages of ../messages by codecs that the build makes of their schemas
 * (tools/codecs.mjs), and do not load this.
 */

export { attributes, list, nested, oneOf, repeated, required, withDefault } from "./attributes.ts";
export type { Decoded, Encodable, Schema } from "./codec.ts";
export {
  type Attribute as AttributeDeclaration,
  type Codec,
  codec,
  type NumberedCodec,
  type Shape,
} from "./codec.ts";
export {
  bits,
  bitsOf,
  bytes,
  fixedBytes,
  flag,
  ip,
  ipv4,
  ipv6,
  s32,
  string,
  u8,
  u16,
  u16be,
  u32,
  u32be,
  u64,
} from "./scalars.ts";
export { message, struct } from "./struct.ts";
