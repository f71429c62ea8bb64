/** Cuts what a stream brings into lines, and gives up on one that is too long. */
export class LineSplitter {
  readonly #longest: number;
  readonly #onLine: (line: string) => void;
  readonly #onTooLong: () => void;
  #rest = "";

  constructor(longest: number, onLine: (line: string) => void, onTooLong: () => void) {
    this.#longest = longest;
    this.#onLine = onLine;
    this.#onTooLong = onTooLong;
  }

  push(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") this.#onLine(line);
    if (this.#rest.length > this.#longest) this.#onTooLong();
  }

  /** The stream has ended, perhaps without a last newline. */
  end(): void {
    if (this.#rest.trim() !== "") this.#onLine(this.#rest);
    this.#rest = "";
  }
}
