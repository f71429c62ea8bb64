/** JSON as `ip -j` and `ip -j -p` lay it out, so that what reads theirs by line reads ours. */

export type JsonValue = string | number | boolean | undefined | JsonObject | readonly JsonObject[];
export type JsonObject = { readonly [name: string]: JsonValue };

/** A list in one line, or over many with `pretty`. Values that are undefined are left out. */
export function jsonList(objects: readonly JsonObject[], pretty: boolean): string {
  if (!pretty) return `${JSON.stringify(objects)}\n`;
  return objects.length === 0 ? "[ ]\n" : `[ ${objects.map(prettyObject).join(",")} ]\n`;
}

/** One object of a stream that may never end: a line of its own (JSON lines), however many with `pretty`. */
export function jsonItem(object: JsonObject, pretty: boolean): string {
  return `${JSON.stringify(object, undefined, pretty ? 4 : undefined)}\n`;
}

function prettyObject(object: JsonObject): string {
  const fields = Object.entries(object)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `        ${JSON.stringify(name)}: ${prettyValue(value)}`);
  return `{\n${fields.join(",\n")}\n    }`;
}

function prettyValue(value: JsonValue): string {
  return JSON.stringify(value, undefined, 4).replaceAll("\n", "\n        ");
}
