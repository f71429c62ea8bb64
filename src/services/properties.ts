import { parseShownWords } from "./systemd/shown.ts";

/** What `systemctl show` says of a unit. A property that it does not have, or that is empty, is "" or []. */
export class Properties {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }

  text(name: string): string {
    return this.lines(name)[0] ?? "";
  }

  /** One for each time that the property is shown: "ExecStart" for every command. */
  lines(name: string): string[] {
    return (this.#values.get(name) ?? []).filter((line) => line !== "");
  }

  words(name: string): string[] {
    return parseShownWords(this.text(name));
  }

  yes(name: string): boolean {
    return this.text(name) === "yes";
  }
}

/** The paths of EnvironmentFile=, specifiers expanded. */
export function environmentFilesOf(unit: Properties): string[] {
  return unit.lines("EnvironmentFiles").map((line) => line.replace(/ \(ignore_errors=(?:yes|no)\)$/, ""));
}
