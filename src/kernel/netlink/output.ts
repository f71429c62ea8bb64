import { align4 } from "./wire.ts";

/** Bytes that are written: grows as needed, new bytes are zero. Ask for `view` again after every reserve(). */
export class Output {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get view(): DataView {
    return this.#view;
  }

  /** Adds `size` zero bytes; returns the offset of the first. */
  reserve(size: number): number {
    const offset = this.#length;
    this.#length += size;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return offset;
  }

  append(bytes: Uint8Array): void {
    const offset = this.reserve(bytes.length);
    this.#bytes.set(bytes, offset);
  }

  /** Pads to a multiple of 4. */
  align(): void {
    this.reserve(align4(this.#length) - this.#length);
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}
