/** The parts of a report, and how they are gathered: what fails says so, and does not keep the others. */

import { codeOf, messageOf } from "../../base/errors.ts";
import { oneLine } from "../../base/text.ts";
import { ConfigError } from "../../control/config/config.ts";

export type Findings = {
  /** For people: lines, each with its end. */
  readonly text: string;
  /** For programs: what JSON.stringify takes, bigints excepted, which are made numbers or text. */
  readonly data: unknown;
  /** What is missing of it, and why. */
  readonly notes?: readonly string[];
};

export type Section = {
  /** One word, for programs. */
  readonly name: string;
  readonly title: string;
  gather(): Findings | Promise<Findings>;
};

/** `findings` are undefined where nothing could be read; `notes` say why. */
export type Gathered = Pick<Section, "name" | "title"> & {
  readonly findings: Findings | undefined;
  readonly notes: readonly string[];
};

export async function gatherAll(sections: readonly Section[]): Promise<Gathered[]> {
  const all: Gathered[] = [];
  for (const { name, title, gather } of sections)
    try {
      const findings = await gather();
      all.push({ name, title, findings, notes: (findings.notes ?? []).map(oneLine) });
    } catch (error) {
      all.push({ name, title, findings: undefined, notes: [oneLine(reasonOf(error))] });
    }
  return all;
}

/** A fault of our own is told as one. */
function reasonOf(error: unknown): string {
  if (error instanceof ConfigError) return error.lines.join("; ");
  return codeOf(error) === undefined ? `internal error: ${messageOf(error)}` : messageOf(error);
}
