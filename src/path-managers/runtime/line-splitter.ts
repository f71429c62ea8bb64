/** Cuts what a stream brings into lines, and gives up at one that is too long. */
export class LineSplitter {
  readonly #longest: number;
  readonly #onLine: (line: string) => void;
  readonly #onTooLong: () => void;
  #rest = "";
  #hasGivenUp = false;

  constructor(longest: number, onLine: (line: string) => void, onTooLong: () => void) {
    this.#longest = longest;
    this.#onLine = onLine;
    this.#onTooLong = onTooLong;
  }

  push(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#take(line);
    if (this.#rest.length > this.#longest) this.#giveUp();
  }

  /** The stream has ended, perhaps without a last newline. */
  end(): void {
    this.#take(this.#rest);
    this.#rest = "";
  }

  #take(line: string): void {
    if (line.length > this.#longest) this.#giveUp();
    if (!this.#hasGivenUp && line.trim() !== "") this.#onLine(line);
  }

  #giveUp(): void {
    if (!this.#hasGivenUp) this.#onTooLong();
    this.#hasGivenUp = true;
    this.#rest = "";
  }
}
