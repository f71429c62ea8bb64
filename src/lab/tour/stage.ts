/** How the tour is shown: a screen with lines that change in place, and the forms of what is said on it. */
import { escapeLines } from "../../base/text.ts";
import type { Host } from "../kit/host.ts";
import type { TwoPaths } from "../kit/lab.ts";
import { now, type Observer } from "./observer.ts";

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

export type Stage = {
  readonly screen: Screen;
  readonly client: Host;
  readonly server: Host;
  readonly paths: TwoPaths["paths"];
  readonly observer: Observer;
  /** The command line of the tour's own program, which runs in the hosts too. */
  readonly program: readonly [string, ...string[]];
};

export const pathRateMbit = 100;

const redrawIntervalMs = 50;

export function act({ screen }: Stage, number: number, title: string): void {
  screen.say("", screen.bold(`${number}. ${title}`));
}

/** Shows a command and gives the time, from which its effects are measured. */
export function command({ screen }: Stage, line: string): number {
  screen.say(`   ${screen.cyan("$")} ${line}`);
  return now();
}

export function event({ screen }: Stage, sign: string, text: string): number {
  screen.say(`   ${sign} ${text}`);
  return now();
}

export function tell({ screen }: Stage, sign: string, what: string, since: number, at: number): void {
  screen.say(`   ${screen.yellow(duration(at - since).padStart(8))} ${sign} ${what}`);
}

/** Shows the time go by, and the kernel's endpoints, until the promise settles. */
export async function waiting<T>(
  { screen, observer }: Stage,
  since: number,
  promise: Promise<T>,
): Promise<T> {
  const show = () => {
    const addresses = observer.latest?.endpoints.map(({ address }) => address) ?? [];
    const list = addresses.length > 0 ? addresses.join(" ") : "none";
    screen.show(screen.dim(`   ${duration(now() - since).padStart(8)} … endpoints: ${list}`));
  };
  const timer = setInterval(show, redrawIntervalMs);
  try {
    return await promise;
  } finally {
    clearInterval(timer);
  }
}

export function remark({ screen }: Stage, text: string): void {
  screen.say(screen.dim(`            ${text}`));
}

export function duration(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(2)} s`;
}
