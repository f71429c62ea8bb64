import { closeSync, constants } from "node:fs";
import { openGuarded, replaceStateFile } from "../base/runtime-directory.ts";
import { appendText } from "../kernel/append.ts";

/** Appends after which the file is written anew as a whole. */
const LONGEST = 1000;

/**
 * A file of the runtime directory that begins with a state as a whole, and gets a line for each change. An append is
 * one write(2), so it costs a fraction of a new file. A process that dies in the middle of one leaves a last line
 * without its line feed: readers leave that out.
 *
 * Nothing is flushed to a disk. After a crash of the whole machine the kernel's state, of which the file speaks, is
 * gone too.
 */
export class Journal {
  readonly #file: string;
  readonly #wholeText: () => string;
  readonly #isAllowed: () => boolean;
  #fd: number | undefined;
  #appended = 0;

  /**
   * @param wholeText gives the text of the file, as it should be now
   * @param isAllowed whether the name is still ours; where it is not, the file that has it is left alone
   */
  constructor(file: string, wholeText: () => string, isAllowed = (): boolean => true) {
    this.#file = file;
    this.#wholeText = wholeText;
    this.#isAllowed = isAllowed;
  }

  /**
   * Adds the line of a change, with its line feed.
   *
   * @returns false if the file has to be written anew: it was not yet, is long, or somebody has removed or replaced it
   */
  append(line: string): boolean {
    return this.#fd !== undefined && this.#appended++ < LONGEST && appendText(this.#fd, line);
  }

  /**
   * Adds lines, each with its line feed.
   *
   * @returns false if the file has to be written anew: it was not yet, or somebody has removed or replaced it
   */
  add(lines: string): boolean {
    // ENOSPC and the like: a new file meets it too, and says so.
    return this.#fd !== undefined && appendText(this.#fd, lines);
  }

  /** Writes the file anew. Throws StateWriteError. @returns its length in bytes, 0 where the name is not ours */
  rewrite(): number {
    if (!this.#isAllowed()) return 0;
    this.close();
    const text = this.#wholeText();
    replaceStateFile(this.#file, text);
    this.#fd = this.#open();
    this.#appended = 0;
    return Buffer.byteLength(text);
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** Undefined where somebody was faster: then the next change writes the file anew. */
  #open(): number | undefined {
    try {
      return openGuarded(this.#file, constants.O_WRONLY | constants.O_APPEND);
    } catch {
      return undefined;
    }
  }
}
