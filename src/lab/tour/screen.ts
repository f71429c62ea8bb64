import { escapeLines } from "../../base/text.ts";

type Output = { readonly isTTY?: boolean; write(text: string): unknown };

/**
 * Where the tour is told: lines that stay, and on a terminal a few lines below them that change in place. A pipe gets
 * the lines that stay, without colours.
 */
export class Screen {
  readonly isLive: boolean;
  readonly #write: (text: string) => void;
  readonly #colours: boolean;
  #liveLines = 0;

  constructor(out: Output = process.stdout, { NO_COLOR = "" }: { NO_COLOR?: string } = process.env) {
    this.isLive = out.isTTY === true;
    this.#colours = this.isLive && NO_COLOR === "";
    this.#write = (text) => void out.write(text);
  }

  say(...lines: readonly string[]): void {
    this.#write(this.#erase() + lines.map(harmless).join(""));
  }

  /** Shows lines below all others until the next call; none in a pipe. They must be no wider than the terminal. */
  show(...lines: readonly string[]): void {
    if (!this.isLive) return;
    this.#write(this.#erase() + lines.map(harmless).join(""));
    this.#liveLines = lines.length;
  }

  readonly bold = (text: string): string => this.#paint(1, text);
  readonly dim = (text: string): string => this.#paint(2, text);
  readonly red = (text: string): string => this.#paint(31, text);
  readonly green = (text: string): string => this.#paint(32, text);
  readonly yellow = (text: string): string => this.#paint(33, text);
  readonly cyan = (text: string): string => this.#paint(36, text);

  #paint(code: number, text: string): string {
    return this.#colours ? `\x1b[${code}m${text}\x1b[0m` : text;
  }

  /** Goes to the first of the changing lines and clears from there to the end of the screen. */
  #erase(): string {
    const lines = this.#liveLines;
    this.#liveLines = 0;
    return lines > 0 ? `\x1b[${lines}F\x1b[J` : "";
  }
}

// As #paint writes them. A literal would hold a control character.
const color = new RegExp(`(${"\x1b"}\\[\\d+m)`);

/** A line in which only colours reach the terminal as they are. */
function harmless(line: string): string {
  const parts = line.split(color);
  return `${parts.map((part, at) => (at % 2 === 1 ? part : escapeLines(part))).join("")}\n`;
}

/** A bar of `width` cells of which `share` (0 to 1) is full, to an eighth of a cell. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(Math.max(share, 0), 1) * width * 8);
  const full = "█".repeat(Math.floor(eighths / 8));
  const part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8] ?? "";
  return (full + part).padEnd(width, "·");
}
