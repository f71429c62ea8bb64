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
  /** What does not work while the file is out of date, for the warning. */
  readonly consequence: string;
  /** Whether the file is still ours to write; by default always. What was not allowed is done by `repeat`. */
  readonly isAllowed?: () => boolean;
}

/** A file of the runtime directory that is replaced as a whole, as soon as that is possible; see `RetriedWrite`. */
export class StateFile {
  readonly #file: string;
  readonly #writes: RetriedWrite;
  readonly #isAllowed: () => boolean;
  /** As the file should be: undefined if it should not be there. */
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

  /** Does again what was asked for last. */
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
  /** The text of the file, as it should be now. */
  readonly wholeText: () => string;
}

/**
 * A file of the runtime directory that gets a line for each change; where that fails, it is written anew as soon as
 * possible.
 */
export class StateJournal {
  readonly #journal: Journal;
  readonly #writes: RetriedWrite;

  constructor({ file, clock, log, consequence, wholeText, isAllowed }: StateJournalOptions) {
    this.#journal = new Journal(file, wholeText, isAllowed);
    this.#writes = new RetriedWrite({ clock, log, what: file, consequence });
  }

  /** Adds the line of a change. One that could not be added is in the new file of the next attempt. */
  append(line: string): void {
    if (this.#writes.isFailing || !this.#journal.append(line)) this.rewrite();
  }

  /** Writes it anew. */
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
