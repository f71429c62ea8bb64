// Straight-line code that writes a message: one function, in the order of the schema.
import { Names, nameInside } from "./names.mjs";

/** NLA_F_NESTED */
const NESTED = 0x8000;

/** The method `write` of a record. */
export function writerOf(record, { type }) {
  const writer = new Writer();
  const lines = writer.record(record, { value: "value", path: "", prefix: "" });
  const declare = writer.grows ? "let" : "const";
  const memory = lines.some((line) => /\bbytes\b/.test(line)) ? "{ view, bytes }" : "{ view }";
  const hasAttributes = Object.keys(record.layout.attributes).length > 0;
  const text = [
    `write(output: Output, value: ${type}): void {`,
    "if (output.length + ROOM > output.bytes.length) output.makeRoom(ROOM);",
    `${declare} ${memory} = output;`,
    "const start = output.length;",
    ...(hasAttributes ? [`let at = start + ${record.layout.attributesFrom};`] : []),
    ...lines,
    `output.length = ${hasAttributes ? "at" : `start + ${record.layout.attributesFrom}`};`,
    "},",
  ].join("\n");
  return text.replaceAll("ROOM", String(writer.room)).replaceAll("MEMORY", memory);
}

class Writer {
  /** The most bytes that are written, without texts. */
  room = 0;
  /** There are texts, so the output may grow. */
  grows = false;
  #names = new Names("output", "value", "view", "bytes", "start", "at");

  record({ layout }, place) {
    const { fields, later, attributes, attributesFrom } = layout;
    if (later.length > 0)
      throw new Error(`${place.path}: no code can be made for fields that may be left out`);
    this.room += attributesFrom;
    return [
      ...this.#fields(fields, { ...place, start: "start", offset: 0 }),
      ...Object.entries(attributes).flatMap(([name, attribute]) => this.#attribute(name, attribute, place)),
    ];
  }

  #fields(fields, { value, path, prefix, start, offset }) {
    return fields.flatMap(({ name, codec, offset: own }) => {
      const variable = this.#names.unused(nameInside(prefix, name));
      const fieldPath = path === "" ? name : `${path}.${name}`;
      const at = offset + own === 0 ? start : `${start} + ${offset + own}`;
      const lines =
        codec.shape.kind === "record"
          ? [
              misfitUnless(
                `typeof ${variable} === "object" && ${variable} !== null`,
                variable,
                fieldPath,
                codec,
              ),
              ...this.#fields(codec.record.layout.fields, {
                value: variable,
                path: fieldPath,
                prefix: variable,
                start,
                offset: offset + own,
              }),
            ]
          : plainValue(codec, variable, at, fieldPath);
      return [`const ${variable} = ${value}.${name};`, `if (${variable} !== undefined) {`, ...lines, "}"];
    });
  }

  #attribute(name, { presence, alternatives }, { value, path, prefix }) {
    const variable = this.#names.unused(nameInside(prefix, name));
    const attributePath = path === "" ? name : `${path}.${name}`;
    const otherwise =
      presence === "required"
        ? [`if (${variable} === undefined) throw missingValue("${attributePath}");`]
        : [];
    if (presence === "repeated") throw new Error(`${attributePath}: no code can be made for a repetition`);
    const lines = this.#present(alternatives, variable, attributePath);
    return [
      `const ${variable} = ${value}.${name};`,
      ...otherwise,
      ...(presence === "required" ? lines : [`if (${variable} !== undefined) {`, ...lines, "}"]),
    ];
  }

  #present(alternatives, variable, path) {
    const [{ number, codec }] = alternatives;
    if (isAddress(codec)) return this.#address(alternatives, variable, path);
    if (codec.shape.kind === "string") {
      this.grows = true;
      return [
        "output.length = at;",
        `writeString(output, ${number}, ${variable}, "${path}");`,
        "output.makeRoom(ROOM);",
        "(MEMORY = output);",
        "at = output.length;",
      ];
    }
    if (codec.shape.kind === "record" && codec.shape.nested) return this.#nest(number, codec, variable, path);
    const { size } = codec;
    if (size === undefined || codec.shape.kind === "record")
      throw new Error(`${path}: no code can be made for a ${codec.label} that is written`);
    this.room += align4(4 + size);
    return [
      ...plainValue(codec, variable, "at + 4", path),
      `view.setUint16(at, ${4 + size}, littleEndian);`,
      `view.setUint16(at + 2, ${number}, littleEndian);`,
      `at += ${align4(4 + size)};`,
    ];
  }

  #address(alternatives, variable, path) {
    this.room += 20;
    const labels = alternatives.map(({ codec }) => codec.label).join(" or ");
    const size = this.#names.unused(`${variable}Size`);
    const [first, second] = alternatives;
    if (second === undefined && first.codec.shape.kind !== "ip")
      throw new Error(`${path}: no code can be made for an address of one family`);
    const number =
      second === undefined
        ? first.number
        : `${size} === ${first.codec.size} ? ${first.number} : ${second.number}`;
    return [
      `let ${size} = 0;`,
      `if (typeof ${variable} === "string") {`,
      `if (parseIpv4(${variable}, 0, bytes, at + 4)) ${size} = 4;`,
      `else if (parseIpv6(${variable}, bytes, at + 4)) ${size} = 16;`,
      "}",
      `if (${size} === 0) throw misfit("${path}", ${variable}, "${labels}");`,
      `view.setUint16(at, 4 + ${size}, littleEndian);`,
      `view.setUint16(at + 2, ${number}, littleEndian);`,
      `at += 4 + ${size};`,
    ];
  }

  #nest(number, codec, variable, path) {
    this.room += 4;
    const start = this.#names.unused(`${variable}At`);
    return [
      misfitUnless(`typeof ${variable} === "object" && ${variable} !== null`, variable, path, codec),
      `const ${start} = at;`,
      "at += 4;",
      ...this.record(codec.record, { value: variable, path, prefix: variable }),
      `view.setUint16(${start}, at - ${start}, littleEndian);`,
      `view.setUint16(${start} + 2, ${number | NESTED}, littleEndian);`,
    ];
  }
}

/** Writes a value of a settled size, after a test. */
function plainValue(codec, variable, at, path) {
  const { shape } = codec;
  if (shape.kind === "integer") {
    const [test, method, order] = integers[shape.type];
    return [
      misfitUnless(`typeof ${variable} === "number" && ${test(variable)}`, variable, path, codec),
      `view.${method}(${at}, ${variable}${order});`,
    ];
  }
  if (shape.kind === "bits") {
    const [, method, order] = integers[shape.type];
    const fits = shape.type === "u32" ? "" : ` && ${variable}.value <= ${shape.maximum}`;
    return [
      misfitUnless(`${variable} instanceof Bits${fits}`, variable, path, codec),
      `view.${method}(${at}, ${variable}.value${order});`,
    ];
  }
  if (shape.kind === "bytes" && shape.size !== undefined)
    return [
      misfitUnless(
        `${variable} instanceof Uint8Array && ${variable}.length === ${shape.size}`,
        variable,
        path,
        codec,
      ),
      `bytes.set(${variable}, ${at});`,
    ];
  throw new Error(`${path}: no code can be made for a ${codec.label} that is written`);
}

/** How a number is tested and written. */
const integers = {
  u8: [(name) => `(${name} & 0xff) === ${name}`, "setUint8", ""],
  u16: [(name) => `(${name} & 0xffff) === ${name}`, "setUint16", ", littleEndian"],
  u16be: [(name) => `(${name} & 0xffff) === ${name}`, "setUint16", ", false"],
  u32: [(name) => `${name} >>> 0 === ${name}`, "setUint32", ", littleEndian"],
  u32be: [(name) => `${name} >>> 0 === ${name}`, "setUint32", ", false"],
  s32: [(name) => `(${name} | 0) === ${name}`, "setInt32", ", littleEndian"],
};

function misfitUnless(test, variable, path, codec) {
  return `if (!(${test})) throw misfit("${path}", ${variable}, "${codec.label}");`;
}

function isAddress({ shape }) {
  return shape.kind === "ip" || shape.kind === "ipv4" || shape.kind === "ipv6";
}

function align4(length) {
  return (length + 3) & ~3;
}
