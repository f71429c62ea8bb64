import type { Host } from "../src/lab/kit/host.ts";

/** Where the compiled bench/meter.c is. */
export type Meter = { readonly path: string };

/** The numbers of a run of the meter, by their names. */
export type Readings = { all(name: string): readonly number[]; one(name: string): number };

/** Runs the meter in a host; `words` are its command and arguments, as the head of meter.c lists them. */
export async function runMeter(
  meter: Meter,
  host: Host,
  ...words: readonly (string | number)[]
): Promise<Readings> {
  return parseReadings(await host.run(meter.path, ...words.map(String)));
}

/** Lines of a name and a number. */
export function parseReadings(text: string): Readings {
  const readings = new Map<string, number[]>();
  for (const line of text.trim().split("\n")) {
    const [name = "", value] = line.split(" ");
    const values = readings.get(name) ?? [];
    values.push(Number(value));
    readings.set(name, values);
  }
  return {
    all: (name) => readings.get(name) ?? [],
    one(name) {
      const [value] = readings.get(name) ?? [];
      if (value === undefined) throw new Error(`the meter says nothing of "${name}": ${text}`);
      return value;
    },
  };
}
