import * as v from "valibot";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { isThere } from "../../base/files.ts";
import type { Logger } from "../../base/log/log.ts";
import { RetriedWrite } from "../../base/retries.ts";
import { readStateFile, removeStateFile, replaceStateFile } from "../../base/runtime-directory.ts";
import { cut, oneLine } from "../../base/text.ts";
import { Journal } from "../journal.ts";

export interface StateFileOptions {
  readonly file: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** For the warning: what does not work while the file is out of date. */
  readonly consequence: string;
  /** Whether this process may still write the file; by default always. `repeat` makes up for writes not allowed. */
  readonly isAllowed?: () => boolean;
}

/** A file of the runtime directory that is replaced as a whole, as soon as possible; see `RetriedWrite`. */
export class StateFile {
  readonly #file: string;
  readonly #writes: RetriedWrite;
  readonly #isAllowed: () => boolean;
  /** The text that the file should have; undefined: the file should not exist. */
  #text: string | undefined;

  constructor({ file, clock, log, consequence, isAllowed = () => true }: StateFileOptions) {
    this.#file = file;
    this.#isAllowed = isAllowed;
    this.#writes = new RetriedWrite({ clock, log, what: file, consequence });
  }

  write(text: string): void {
    this.#text = text;
    this.repeat();
  }

  remove(): void {
    this.#text = undefined;
    this.repeat();
  }

  /** Repeats the last request. */
  repeat(): void {
    this.#writes.attempt(() => {
      if (!this.#isAllowed()) return;
      if (this.#text === undefined) removeStateFile(this.#file);
      else replaceStateFile(this.#file, this.#text);
    });
  }

  /** Writes the file again if somebody has removed it. */
  restore(): void {
    if (this.#text !== undefined && !this.#writes.isFailing && !isThere(this.#file)) this.repeat();
  }

  /** Tries for the last time what could not be done until now. */
  close(): void {
    this.#writes.close();
  }
}

export interface StateJournalOptions extends StateFileOptions {
  /** The text that the file should have now. */
  readonly wholeText: () => string;
}

/**
 * A file of the runtime directory that gets a line for each change. If a line cannot be added, the whole file is
 * rewritten as soon as possible.
 */
export class StateJournal {
  readonly #journal: Journal;
  readonly #writes: RetriedWrite;

  constructor({ file, clock, log, consequence, wholeText, isAllowed }: StateJournalOptions) {
    this.#journal = new Journal(file, wholeText, isAllowed);
    this.#writes = new RetriedWrite({ clock, log, what: file, consequence });
  }

  /** Adds the line of a change. If that fails, the next rewrite includes the change. */
  append(line: string): void {
    if (this.#writes.isFailing || !this.#journal.append(line)) this.rewrite();
  }

  /** Rewrites the file. */
  rewrite(): void {
    this.#writes.attempt(() => this.#journal.rewrite());
  }

  /** Tries for the last time what could not be done until now. */
  close(): void {
    this.#writes.close();
    this.#journal.close();
  }
}

/**
 * Reads a file of JSON.
 *
 * @returns undefined if there is none
 * @throws Error when it cannot be read, or is not of the schema
 */
export function readJson<Schema extends v.GenericSchema>(
  file: string,
  schema: Schema,
): v.InferOutput<Schema> | undefined {
  const text = readStateFile(file);
  return text === undefined ? undefined : parseJson(text, schema);
}

/** Throws an Error when it is not of the schema. */
export function parseJson<Schema extends v.GenericSchema>(
  text: string,
  schema: Schema,
): v.InferOutput<Schema> {
  try {
    // A file full of faults has a message for each.
    return v.parse(schema, JSON.parse(text), { abortEarly: true });
  } catch (error) {
    // It quotes the file.
    throw new Error(cut(oneLine(messageOf(error)), 200), { cause: error });
  }
}
