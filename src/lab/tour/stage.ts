import type { Host } from "../kit/host.ts";
import type { TwoPaths } from "../kit/two-paths.ts";
import type { Observer } from "./observer.ts";
import type { Screen } from "./screen.ts";
import { now } from "./watch.ts";

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
