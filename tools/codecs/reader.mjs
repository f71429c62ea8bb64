// Straight-line code that reads a message: one function with a loop for each nest, in the order of the bytes.
import { Names, nameInside } from "./names.mjs";

/** The method `decode` of a record. */
export function readerOf(record, { type, flagsName }) {
  const reader = new Reader(flagsName);
  const { lines, value } = reader.record(record, { type, start: "start", end: "end", path: "", prefix: "" });
  const { minimum, label } = record;
  const body = [
    ...(minimum === 0
      ? []
      : [`if (end - start < ${minimum}) throw tooShort("${label}", ${minimum}, start, end - start);`]),
    ...lines,
    `return ${value};`,
    "},",
  ];
  const view = body.some((line) => line.includes("view.")) ? ["const { view } = input;"] : [];
  return [`decode({ input, start, end }: Payload): ${type} {`, ...view, ...body].join("\n");
}

class Reader {
  #flagsName;
  #depth = 0;
  #names = new Names("input", "start", "end", "view", "decoded", "left");

  constructor(flagsName) {
    this.#flagsName = flagsName;
  }

  /**
   * Lines, and the expression that has the value after them. `start` and `end` are expressions; `path` names the
   * attribute that holds the record, for errors; `prefix` keeps variables apart.
   */
  record({ layout, label, shape, minimum }, place) {
    const { fields, later, attributes, attributesFrom } = layout;
    if (shape.kind !== "record") throw new Error(`${label} is no record`);
    const entries = Object.entries(attributes);
    if (entries.length === 0 && label !== "struct")
      throw new Error(`${place.type}: declare a message that is read without its attributes as a struct`);
    const lines = [];
    const variables = [];
    if (entries.length > 0)
      lines.push(...this.#attributes(entries, attributesFrom, { ...place, minimum }, variables));
    const members = fields
      .filter(({ name }) => name !== place.without)
      .map((field) => `${field.name}: ${this.#field(field, place)}`);
    members.push(...variables.filter(({ optional }) => !optional).map(({ member }) => member));
    const literal = `{ ${members.join(", ")} }`;
    const optional = variables.filter((variable) => variable.optional);
    if (optional.length === 0 && later.length === 0) return { lines, value: literal };
    const value = place.prefix === "" ? "decoded" : this.#names.unused(`${place.prefix}Decoded`);
    lines.push(`const ${value}: Writable<${place.type}> = ${literal};`);
    for (const { name, variable } of optional)
      lines.push(`if (${variable} !== undefined) ${value}.${name} = ${variable};`);
    for (const field of later)
      lines.push(
        `if (${plus(place.start, field.end)} <= ${place.end}) ${value}.${field.name} = ${this.#field(field, place)};`,
      );
    return { lines, value };
  }

  #attributes(entries, from, place, variables) {
    const { start, end, path, prefix, type } = place;
    const lines = [];
    const cases = [];
    const checks = [];
    const depth = this.#depth++;
    const [at, length, next, base] = variablesOf(depth);
    for (const [name, attribute] of entries) {
      const { presence, fallback, alternatives } = attribute;
      const own = `${type}["${name}"]`;
      const variable = this.#names.unused(nameInside(prefix, name));
      const attributePath = path === "" ? name : `${path}.${name}`;
      if (presence === "repeated") {
        lines.push(`const ${variable}: ${own}[number][] = [];`);
        variables.push({ name, variable, optional: false, member: member(name, variable) });
      } else if (presence === "default") {
        lines.push(`let ${variable}: ${own} = ${this.#literal(fallback, alternatives)};`);
        variables.push({ name, variable, optional: false, member: member(name, variable) });
      } else {
        lines.push(`let ${variable}: ${own} | undefined;`);
        variables.push({ name, variable, optional: presence === "optional", member: member(name, variable) });
        if (presence === "required")
          checks.push(`if (${variable} === undefined) throw missing("${attributePath}", ${base}, ${end});`);
      }
      for (const { number, codec } of alternatives) {
        const inside = {
          start: `${at} + 4`,
          end: next,
          path: attributePath,
          prefix: nameInside(prefix, name),
          type: presence === "repeated" ? `${own}[number]` : `NonNullable<${own}>`,
        };
        const read = this.#value(codec, inside);
        cases.push(
          `case ${number}: {`,
          ...(codec.minimum === 0
            ? []
            : [
                `if (${length} < ${4 + codec.minimum})`,
                `throw tooShort("${codec.label}", ${codec.minimum}, ${at}, ${length} - 4, "${attributePath}");`,
              ]),
          ...read.lines,
          presence === "repeated" ? `${variable}.push(${read.value});` : `${variable} = ${read.value};`,
          "break;",
          "}",
        );
      }
    }
    const first = plus(start, from);
    // A message may end with its struct, without the padding.
    const begin = from === place.minimum ? first : `Math.min(${first}, ${end})`;
    if (checks.length > 0) lines.push(`const ${base} = ${begin};`);
    lines.push(
      ...eachAttribute({ from: checks.length > 0 ? base : begin, end, path }, depth),
      `switch (view.getUint16(${at} + 2, littleEndian) & NLA_TYPE_MASK) {`,
      ...cases,
      "}",
      ...endOfLoop(depth),
      ...checks,
    );
    this.#depth--;
    return lines;
  }

  #field({ codec, offset }, place) {
    const at = plus(place.start, offset);
    if (codec.shape.kind !== "record")
      return this.#value(codec, { ...place, start: at, end: plus(place.start, offset + codec.size) }).value;
    const fields = codec.record.layout.fields.map(
      (field) => `${field.name}: ${this.#field(field, { ...place, start: at })}`,
    );
    return `{ ${fields.join(", ")} }`;
  }

  #value(codec, place) {
    const { shape, label } = codec;
    const { start, end, path } = place;
    const plain = (value) => ({ lines: [], value });
    switch (shape.kind) {
      case "integer":
        return plain(integer(shape.type, start));
      case "bits":
        return plain(`${this.#flagsName(shape.names)}.from(${integer(shape.type, start)})`);
      case "u64":
        return plain(`view.getBigUint64(${start}, littleEndian)`);
      case "string":
        return plain(`readString(input, ${start}, ${end})`);
      case "bytes":
        return plain(
          `readBytes(input, ${start}, ${shape.size === undefined ? end : plus(start, shape.size)})`,
        );
      case "ipv4":
        return plain(`readIpv4(input, ${start})`);
      case "ipv6":
        return plain(`readIpv6(input, ${start})`);
      case "ip":
        return plain(`readIp(input, ${plus(start, shape.skipped ?? 0)}, ${end}${pathArgument(path)})`);
      case "record":
        return this.record(codec.record, place);
      case "list":
        return this.#list(shape.of, place);
      case "chain":
        return this.#chain(shape, place);
      default:
        throw new Error(`${path}: no code can be made for a ${label} that is read`);
    }
  }

  /** Attributes whose numbers do not matter. */
  #list(of, { start, end, path, prefix, type }) {
    const depth = this.#depth++;
    const [at, length, next] = variablesOf(depth);
    const items = this.#names.unused(nameInside(prefix, "items"));
    const item = { start: `${at} + 4`, end: next, path, prefix, type: `${type}[number]` };
    const read = this.#value(of, item);
    const lines = [
      `const ${items}: ${type}[number][] = [];`,
      ...eachAttribute({ from: start, end, path }, depth),
      ...(of.minimum === 0
        ? []
        : [
            `if (${length} < ${4 + of.minimum})`,
            `throw tooShort("${of.label}", ${of.minimum}, ${at}, ${length} - 4${pathArgument(path)});`,
          ]),
      ...read.lines,
      `${items}.push(${read.value});`,
      ...endOfLoop(depth),
    ];
    this.#depth--;
    return { lines, value: items };
  }

  /** Messages that begin with their length. */
  #chain({ of, message, lengthField }, { start, end, path, prefix, type }) {
    const depth = this.#depth++;
    const [at, length, next] = variablesOf(depth);
    const items = this.#names.unused(nameInside(prefix, "items"));
    const link = { start: at, end: next, path, prefix, type: `${type}[number]` };
    const read = this.record(message, { ...link, without: lengthField });
    const lines = [
      `const ${items}: ${type}[number][] = [];`,
      `for (let ${at} = ${start}; ${at} < ${end}; ) {`,
      `const left = ${end} - ${at};`,
      `const ${length} = left < ${of.minimum} ? 0 : view.getUint16(${at}, littleEndian);`,
      `if (${length} < ${of.minimum} || ${length} > left)`,
      `throw badLink("${of.label}", ${at}, left, ${length}${pathArgument(path)});`,
      `const ${next} = ${at} + ${length};`,
      ...read.lines,
      `${items}.push(${read.value});`,
      ...endOfLoop(depth),
    ];
    this.#depth--;
    return { lines, value: items };
  }

  /** The value of an absent attribute. */
  #literal(fallback, [{ codec }]) {
    const { shape } = codec;
    return shape.kind === "bits"
      ? `${this.#flagsName(shape.names)}.from(${fallback.value})`
      : JSON.stringify(fallback);
  }
}

const methods = {
  u8: "getUint8",
  u16: "getUint16",
  u32: "getUint32",
  s32: "getInt32",
  u16be: "getUint16",
  u32be: "getUint32",
};

function integer(type, at) {
  if (type === "counter") return `Number(view.getBigUint64(${at}, littleEndian))`;
  const order = type === "u8" ? "" : type.endsWith("be") ? ", false" : ", littleEndian";
  return `view.${methods[type]}(${at}${order})`;
}

function member(name, variable) {
  return name === variable ? name : `${name}: ${variable}`;
}

function pathArgument(path) {
  return path === "" ? "" : `, "${path}"`;
}

/** `start + 4` and 2 are `start + 6`. */
function plus(expression, number) {
  const [, rest, added] = /^(.*) \+ (\d+)$/.exec(expression) ?? [undefined, expression, "0"];
  const sum = Number(added) + number;
  return sum === 0 ? rest : `${rest} + ${sum}`;
}

/** Begins a loop over attributes. */
function eachAttribute({ from, end, path }, depth) {
  const [at, length, next] = variablesOf(depth);
  return [
    `for (let ${at} = ${from}; ${at} < ${end}; ) {`,
    `const ${length} = ${end} - ${at} < 4 ? 0 : view.getUint16(${at}, littleEndian);`,
    `const ${next} = ${at} + ${length};`,
    `if (${length} < 4 || ${next} > ${end}) throw badLength(input, ${at}, ${end}${pathArgument(path)});`,
  ];
}

/** Ends a loop over what has a length and is aligned. */
function endOfLoop(depth) {
  const [at, length] = variablesOf(depth);
  return [`${at} += (${length} + 3) & ~3;`, "}"];
}

/** Of a loop inside others. */
function variablesOf(depth) {
  return ["at", "length", "next", "base"].map((name) => `${name}${depth === 0 ? "" : depth}`);
}
