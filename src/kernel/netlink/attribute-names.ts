/** How extended acks name attributes: they give places and numbers, schemas have the names. */
import { align4, littleEndian, NLA_TYPE_MASK } from "./wire.ts";

/** The attributes of a message, or of a nest: their names, and what they hold. */
export type AttributeNames = {
  /** Where the attributes start. */
  readonly from: number;
  readonly names: Readonly<Record<number, readonly [name: string, inside?: AttributeNames]>>;
};

/** The name of the attribute at `offset` of a message's payload. */
export function attributeAt(names: AttributeNames, bytes: Uint8Array, offset: number): string | undefined {
  const found = around(names, bytes, offset);
  if (found?.inside === undefined) return found?.name;
  const inner = attributeAt(found.inside, found.value, offset - found.valueAt);
  return inner === undefined ? found.name : `${found.name}.${inner}`;
}

/** The name of attribute `number` in the nest at `nest`, or at the top: for "missing attribute". */
export function attributeNumbered(
  names: AttributeNames,
  bytes: Uint8Array,
  number: number,
  nest?: number,
): string | undefined {
  if (nest === undefined) return names.names[number]?.[0];
  const found = around(names, bytes, nest);
  if (found?.inside === undefined) return undefined;
  const deeper = nest < found.valueAt ? undefined : nest - found.valueAt;
  const inner = attributeNumbered(found.inside, found.value, number, deeper);
  return inner === undefined ? undefined : `${found.name}.${inner}`;
}

/** The attribute that contains `offset`, if it is known. */
function around({ from, names }: AttributeNames, bytes: Uint8Array, offset: number) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = from; at + 4 <= bytes.length; ) {
    const length = view.getUint16(at, littleEndian);
    const next = at + length;
    if (length < 4 || next > bytes.length) return undefined;
    if (offset >= at && offset < next) {
      const known = names[view.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK];
      if (known === undefined) return undefined;
      const [name, inside] = known;
      return { name, inside, value: bytes.subarray(at + 4, next), valueAt: at + 4 };
    }
    at += align4(length);
  }
  return undefined;
}
