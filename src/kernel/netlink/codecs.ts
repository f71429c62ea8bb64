// Made by tools/codecs.mjs of the schemas beside this file: change these, and build.

import type { AttributeNames } from "./attribute-names.ts";
import type { Decoded, Encodable } from "./codec.ts";
import {
  badLength,
  misfit,
  missing,
  readString,
  tooShort,
  type Writable,
  writeString,
} from "./message-codec.ts";
import type * as messages from "./messages.ts";
import { littleEndian, NLA_TYPE_MASK, type Output, type Payload } from "./wire.ts";

export type Acknowledgement = Decoded<typeof messages.acknowledgement>;
export type AcknowledgementAttributes = Decoded<typeof messages.acknowledgementAttributes>;
export type ControlMessage = Decoded<typeof messages.controlMessage>;
export type ControlRequestValue = Encodable<typeof messages.controlRequest>;

export const acknowledgement = {
  decode({ input, start, end }: Payload): Acknowledgement {
    const { view } = input;
    if (end - start < 8) throw tooShort("struct", 8, start, end - start);
    return {
      error: view.getInt32(start, littleEndian),
      requestLength: view.getUint32(start + 4, littleEndian),
    };
  },
};

export const acknowledgementAttributes = {
  decode({ input, start, end }: Payload): AcknowledgementAttributes {
    const { view } = input;
    let message: AcknowledgementAttributes["message"] | undefined;
    let offset: AcknowledgementAttributes["offset"] | undefined;
    let missingType: AcknowledgementAttributes["missingType"] | undefined;
    let missingNest: AcknowledgementAttributes["missingNest"] | undefined;
    for (let at = start; at < end; ) {
      const length = end - at < 4 ? 0 : view.getUint16(at, littleEndian);
      const next = at + length;
      if (length < 4 || next > end) throw badLength(input, at, end);
      switch (view.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK) {
        case 1: {
          message = readString(input, at + 4, next);
          break;
        }
        case 2: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "offset");
          offset = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 5: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "missingType");
          missingType = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 6: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "missingNest");
          missingNest = view.getUint32(at + 4, littleEndian);
          break;
        }
      }
      at += (length + 3) & ~3;
    }
    const decoded: Writable<AcknowledgementAttributes> = {};
    if (message !== undefined) decoded.message = message;
    if (offset !== undefined) decoded.offset = offset;
    if (missingType !== undefined) decoded.missingType = missingType;
    if (missingNest !== undefined) decoded.missingNest = missingNest;
    return decoded;
  },
};

export const controlMessage = {
  decode({ input, start, end }: Payload): ControlMessage {
    const { view } = input;
    if (end - start < 4) throw tooShort("message", 4, start, end - start);
    let familyId: ControlMessage["familyId"] | undefined;
    let familyName: ControlMessage["familyName"] | undefined;
    let familyVersion: ControlMessage["familyVersion"] = 1;
    let groups: ControlMessage["groups"] | undefined;
    for (let at = start + 4; at < end; ) {
      const length = end - at < 4 ? 0 : view.getUint16(at, littleEndian);
      const next = at + length;
      if (length < 4 || next > end) throw badLength(input, at, end);
      switch (view.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK) {
        case 1: {
          if (length < 6) throw tooShort("u16", 2, at, length - 4, "familyId");
          familyId = view.getUint16(at + 4, littleEndian);
          break;
        }
        case 2: {
          familyName = readString(input, at + 4, next);
          break;
        }
        case 3: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "familyVersion");
          familyVersion = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 7: {
          const groupsItems: NonNullable<ControlMessage["groups"]>[number][] = [];
          for (let at1 = at + 4; at1 < next; ) {
            const length1 = next - at1 < 4 ? 0 : view.getUint16(at1, littleEndian);
            const next1 = at1 + length1;
            if (length1 < 4 || next1 > next) throw badLength(input, at1, next, "groups");
            let groupsName: NonNullable<ControlMessage["groups"]>[number]["name"] | undefined;
            let groupsId: NonNullable<ControlMessage["groups"]>[number]["id"] | undefined;
            const base2 = at1 + 4;
            for (let at2 = base2; at2 < next1; ) {
              const length2 = next1 - at2 < 4 ? 0 : view.getUint16(at2, littleEndian);
              const next2 = at2 + length2;
              if (length2 < 4 || next2 > next1) throw badLength(input, at2, next1, "groups");
              switch (view.getUint16(at2 + 2, littleEndian) & NLA_TYPE_MASK) {
                case 1: {
                  groupsName = readString(input, at2 + 4, next2);
                  break;
                }
                case 2: {
                  if (length2 < 8) throw tooShort("u32", 4, at2, length2 - 4, "groups.id");
                  groupsId = view.getUint32(at2 + 4, littleEndian);
                  break;
                }
              }
              at2 += (length2 + 3) & ~3;
            }
            if (groupsName === undefined) throw missing("groups.name", base2, next1);
            if (groupsId === undefined) throw missing("groups.id", base2, next1);
            groupsItems.push({ name: groupsName, id: groupsId });
            at1 += (length1 + 3) & ~3;
          }
          groups = groupsItems;
          break;
        }
      }
      at += (length + 3) & ~3;
    }
    const decoded: Writable<ControlMessage> = {
      command: view.getUint8(start),
      version: view.getUint8(start + 1),
      reserved: view.getUint16(start + 2, littleEndian),
      familyVersion,
    };
    if (familyId !== undefined) decoded.familyId = familyId;
    if (familyName !== undefined) decoded.familyName = familyName;
    if (groups !== undefined) decoded.groups = groups;
    return decoded;
  },
};

export const controlRequest = {
  write(output: Output, value: ControlRequestValue): void {
    if (output.length + 4 > output.bytes.length) output.makeRoom(4);
    let { view } = output;
    const start = output.length;
    let at = start + 4;
    const command = value.command;
    if (command !== undefined) {
      if (!(typeof command === "number" && (command & 0xff) === command))
        throw misfit("command", command, "u8");
      view.setUint8(start, command);
    }
    const version = value.version;
    if (version !== undefined) {
      if (!(typeof version === "number" && (version & 0xff) === version))
        throw misfit("version", version, "u8");
      view.setUint8(start + 1, version);
    }
    const reserved = value.reserved;
    if (reserved !== undefined) {
      if (!(typeof reserved === "number" && (reserved & 0xffff) === reserved))
        throw misfit("reserved", reserved, "u16");
      view.setUint16(start + 2, reserved, littleEndian);
    }
    const familyName = value.familyName;
    if (familyName !== undefined) {
      output.length = at;
      writeString(output, 2, familyName, "familyName");
      output.makeRoom(4);
      ({ view } = output);
      at = output.length;
    }
    output.length = at;
  },
  names: { from: 4, names: { 2: ["familyName"] } } satisfies AttributeNames,
};
