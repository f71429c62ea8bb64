import { closeSync, constants } from "node:fs";
import { openGuarded, replaceStateFile } from "../base/runtime-directory.ts";
import { appendText } from "../kernel/append.ts";

/** Number of appends after which the whole file is rewritten. */
const LONGEST = 1000;

/**
 * A file of the runtime directory that begins with the whole state, and gets a line for each change. An append is one
 * write(2), and costs a fraction of a new file. A process that dies in the middle of an append leaves a last line
 * without a line feed; readers ignore that line.
 *
 * Nothing is flushed to a disk: after a crash of the whole machine, the kernel's state that the file describes is gone
 * too.
 */
export class Journal {
  readonly #file: string;
  readonly #wholeText: () => string;
  readonly #isAllowed: () => boolean;
  #fd: number | undefined;
  #appended = 0;

  /**
   * @param wholeText gives the whole text that the file should have now
   * @param isAllowed whether the name is still ours; if not, the file with that name is left alone
   */
  constructor(file: string, wholeText: () => string, isAllowed = (): boolean => true) {
    this.#file = file;
    this.#wholeText = wholeText;
    this.#isAllowed = isAllowed;
  }

  /**
   * Adds the line of a change, with its line feed.
   *
   * @returns false if the file must be rewritten: it was never written, is long, or somebody removed or replaced it
   */
  append(line: string): boolean {
    return this.#fd !== undefined && this.#appended++ < LONGEST && appendText(this.#fd, line);
  }

  /**
   * Adds lines, each with its line feed.
   *
   * @returns false if the file must be rewritten: it was never written, or somebody removed or replaced it
   */
  add(lines: string): boolean {
    // ENOSPC and the like: rewriting the file meets the same error and reports it.
    return this.#fd !== undefined && appendText(this.#fd, lines);
  }

  /** Rewrites the file. Throws StateWriteError. @returns its length in bytes, 0 if the name is not ours */
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

  /** Undefined if somebody has replaced the file meanwhile: then the next change rewrites it. */
  #open(): number | undefined {
    try {
      return openGuarded(this.#file, constants.O_WRONLY | constants.O_APPEND);
    } catch {
      return undefined;
    }
  }
}
