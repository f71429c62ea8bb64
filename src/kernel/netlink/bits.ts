/**
 * A set of named bits over an unsigned 32-bit value, as flags fields of netlink are. Bits without a name are
 * kept, so what was read can be written back unchanged. Iterates over the names.
 */
export class Bits<Name extends string> {
  readonly value: number;
  readonly #positions: Readonly<Record<Name, number>>;

  constructor(positions: Readonly<Record<Name, number>>, value: number) {
    this.#positions = positions;
    this.value = value >>> 0;
  }

  has(name: Name): boolean {
    return (this.value & (1 << this.#positions[name])) !== 0;
  }

  /** The names of the bits that are set, in the order of their declaration: `[...flags]`. */
  [Symbol.iterator](): Iterator<Name> {
    return this.names.values();
  }

  /** How `console.log` shows it: Bits(up,running). */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `Bits(${this})`;
  }

  get names(): Name[] {
    const names: Name[] = [];
    for (const name in this.#positions) if (this.has(name)) names.push(name);
    return names;
  }

  /** The bits that are set and have no name. */
  get unknown(): number {
    let rest = this.value;
    for (const name in this.#positions) rest &= ~(1 << this.#positions[name]);
    return rest >>> 0;
  }

  with(...names: readonly Name[]): Bits<Name> {
    return new Bits(this.#positions, this.value | mask(this.#positions, names));
  }

  without(...names: readonly Name[]): Bits<Name> {
    return new Bits(this.#positions, this.value & ~mask(this.#positions, names));
  }

  equals(other: Bits<Name>): boolean {
    return this.value === other.value;
  }

  toString(): string {
    const names: string[] = this.names;
    if (this.unknown !== 0) names.push(`0x${this.unknown.toString(16)}`);
    return names.join(",");
  }

  toJSON(): string {
    return this.toString();
  }
}

/** Declares the bits of a flags field: `bitNames({ up: 0, broadcast: 1 })`, each name with its bit's position. */
export function bitNames<const Positions extends Readonly<Record<string, number>>>(positions: Positions) {
  type Name = Extract<keyof Positions, string>;
  const table: Readonly<Record<Name, number>> = positions;
  return {
    names: namesOf(table),
    from: (value: number): Bits<Name> => new Bits<Name>(table, value),
    of: (...names: readonly Name[]): Bits<Name> => new Bits<Name>(table, mask(table, names)),
  };
}

export type BitNames<Name extends string> = {
  readonly names: readonly Name[];
  from(value: number): Bits<Name>;
  of(...names: readonly Name[]): Bits<Name>;
};

/** The name type of a declaration: `NameOf<typeof linkFlags>`. */
export type NameOf<Declaration> = Declaration extends BitNames<infer Name> ? Name : never;

function namesOf<Name extends string>(positions: Readonly<Record<Name, number>>): readonly Name[] {
  const names: Name[] = [];
  for (const name in positions) names.push(name);
  return names;
}

function mask<Name extends string>(
  positions: Readonly<Record<Name, number>>,
  names: readonly Name[],
): number {
  let value = 0;
  for (const name of names) value |= 1 << positions[name];
  return value;
}
