// The source of a file of codecs: its imports, its types, and for each message an object.
import { readerOf } from "./reader.mjs";
import { writerOf } from "./writer.mjs";

/** The functions and types that codecs may use, by the module of src/kernel/netlink that has them. */
const library = {
  "attribute-names": ["type AttributeNames"],
  bits: ["Bits"],
  codec: ["type Decoded", "type Encodable"],
  ip: ["parseIp", "parseIpv4", "parseIpv6", "readIp", "readIpv4", "readIpv6"],
  "message-codec": [
    "badLength",
    "badLink",
    "misfit",
    "missing",
    "missingValue",
    "readBytes",
    "readString",
    "tooShort",
    "type Writable",
    "writeString",
  ],
  wire: ["littleEndian", "NLA_TYPE_MASK", "type Output", "type Payload"],
};

export class Source {
  #flags;
  #netlink;
  #schemaImports = [];
  #types = [];
  #codecs = [];

  /** `flags`: the module with the names of bits. `netlink`: where src/kernel/netlink is. */
  constructor({ flags, netlink }) {
    this.#flags = new Map(Object.entries(flags).map(([name, value]) => [value, name]));
    this.#netlink = netlink;
  }

  /** The codecs of a module's messages. */
  add(module, { received, sent }) {
    const names = [...new Set([...Object.keys(received), ...Object.keys(sent)])];
    const alias = module.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
    this.#schemaImports.push(`import type * as ${alias} from "./${module}.ts";`);
    for (const name of names) this.#addMessage(name, `typeof ${alias}.${name}`, received[name], sent[name]);
  }

  text() {
    const body = [...this.#types, "", ...this.#codecs].join("\n");
    const uses = (name) => new RegExp(`\\b${name.replace("type ", "")}\\b`).test(body);
    const flags = [...this.#flags.values()].filter(uses);
    return [
      "// Made by tools/codecs.mjs of the schemas beside this file: change these, and build.",
      "",
      ...(flags.length > 0 ? [`import { ${flags.join(", ")} } from "./flags.ts";`] : []),
      ...this.#schemaImports,
      ...Object.entries(library).flatMap(([module, names]) => {
        const used = names.filter(uses);
        return used.length === 0
          ? []
          : [`import { ${used.join(", ")} } from "${this.#netlink}/${module}.ts";`];
      }),
      "",
      body,
    ].join("\n");
  }

  #addMessage(name, schemaType, received, sent) {
    const type = name[0].toUpperCase() + name.slice(1);
    const flagsName = (names) => {
      const found = this.#flags.get(names);
      if (found === undefined) throw new Error(`${name}: the names of its bits are not exported`);
      return found;
    };
    const members = [];
    if (received !== undefined) {
      this.#types.push(`export type ${type} = Decoded<${schemaType}>;`);
      members.push(readerOf(received.record, { type, flagsName }));
    }
    if (sent !== undefined) {
      this.#types.push(`export type ${type}Value = Encodable<${schemaType}>;`);
      members.push(writerOf(sent.record, { type: `${type}Value` }));
      members.push(`names: ${namesText(sent.names)} satisfies AttributeNames,`);
    }
    this.#codecs.push(`export const ${name} = {`, ...members, "};", "");
  }
}

function namesText({ from, names }) {
  const entries = Object.entries(names).map(
    ([number, [name, inside]]) =>
      `${number}: [${JSON.stringify(name)}${inside === undefined ? "" : `, ${namesText(inside)}`}]`,
  );
  return `{ from: ${from}, names: { ${entries.join(", ")} } }`;
}
