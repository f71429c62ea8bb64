// Names of variables in the code that is made.

export class Names {
  #taken;

  /** `taken`: names that the code has already. */
  constructor(...taken) {
    this.#taken = new Set(taken);
  }

  /** A name that no other variable has. */
  unused(wanted) {
    let name = wanted;
    for (let count = 2; this.#taken.has(name); count++) name = `${wanted}${count}`;
    this.#taken.add(name);
    return name;
  }
}

/** "flags" inside of "info" is "infoFlags". */
export function nameInside(prefix, name) {
  return prefix === "" ? name : prefix + name[0].toUpperCase() + name.slice(1);
}
