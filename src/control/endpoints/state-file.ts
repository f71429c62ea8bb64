import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log/log.ts";
import { RetriedWrite } from "../../base/retried-write.ts";
import { removeStateFile, replaceStateFile } from "../../base/write-state-file.ts";

/** Where a text is kept. */
export interface TextStore {
  write(text: string): void;
}

/** Writes at once or throws StateWriteError: for programs that end when it fails. */
export function plainStore(file: string): TextStore {
  return { write: (text) => replaceStateFile(file, text) };
}

export interface StateFileOptions {
  readonly file: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** What does not work while the file is out of date, for the warning. */
  readonly consequence: string;
}

/** A file of the runtime directory that is replaced as a whole, as soon as that is possible; see `RetriedWrite`. */
export class StateFile implements TextStore {
  readonly #file: string;
  readonly #writes: RetriedWrite;

  constructor({ file, clock, log, consequence }: StateFileOptions) {
    this.#file = file;
    this.#writes = new RetriedWrite({ clock, log, what: file, consequence });
  }

  write(text: string): void {
    this.#writes.attempt(() => replaceStateFile(this.#file, text));
  }

  remove(): void {
    this.#writes.attempt(() => removeStateFile(this.#file));
  }

  /** Tries for the last time what could not be done until now. */
  close(): void {
    this.#writes.close();
  }
}
