import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log/log.ts";
import { cut, oneLine } from "../../base/text.ts";
import type { Decision } from "../../control/policy/decision.ts";

/** What mptcpd does at the moment, in numbers and names. */
export interface Summary {
  /** Those that are mptcpd's. */
  readonly endpoints: number;
  /** Interfaces by which connections can leave. */
  readonly uplinks: number;
  /** Path managers that decide about endpoints or connections. */
  readonly pathManagers: readonly string[];
}

/** Which configuration is in force, and what became of a later one. */
export interface InForce {
  /** Undefined: there is no file, and the defaults hold. */
  readonly file: string | undefined;
  readonly since: Date;
  /** The last reload, if it was refused. */
  readonly refused: { readonly at: Date; readonly why: string } | undefined;
}

/** UTF-16 units of a reason: `systemctl status` shows the status in one line. */
const LONGEST_REASON = 200;

/** One line for `systemctl status`; times are local ones if no zone is given. */
export function statusText(
  { file = "the defaults", since, refused }: InForce,
  { endpoints, uplinks, pathManagers }: Summary,
  timeZone?: string,
): string {
  const timeText = (date: Date): string => timeIn(timeZone, date);
  const managers = pathManagers.length === 0 ? "none" : pathManagers.join(", ");
  const parts = [
    `${file} in force since ${timeText(since)}`,
    `${count(endpoints, "endpoint")}, ${count(uplinks, "uplink")}`,
    `path manager${pathManagers.length > 1 ? "s" : ""}: ${managers}`,
  ];
  if (refused) {
    const { at, why } = refused;
    parts.push(`the last reload (${timeText(at)}) was refused: ${cut(why, LONGEST_REASON)}`);
  }
  return oneLine(parts.join("; "));
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

/** "2026-11-30 10:20:03 UTC", as systemd writes it. */
function timeIn(timeZone: string | undefined, date: Date): string {
  const two = {
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  } as const;
  const options = { year: "numeric", ...two, hourCycle: "h23", timeZoneName: "short", timeZone } as const;
  const parts = new Map(
    new Intl.DateTimeFormat("en-GB", options).formatToParts(date).map(({ type, value }) => [type, value]),
  );
  const at = (...types: readonly Intl.DateTimeFormatPartTypes[]): string[] =>
    types.map((type) => parts.get(type) ?? "");
  const [day, time] = [at("year", "month", "day").join("-"), at("hour", "minute", "second").join(":")];
  return [day, time, ...at("timeZoneName")].join(" ");
}

/** Milliseconds between two looks: a network that flaps is not told about each time. */
const REST = 1000;

/** Tells the status whenever it is another than the last that was told, after a change at most once a second. */
export class StatusLine {
  readonly #options: {
    readonly clock: Clock;
    readonly text: () => string | undefined;
    readonly tell: (text: string) => void;
  };
  #lastText: string | undefined;
  #isDue = false;

  constructor(options: {
    readonly clock: Clock;
    readonly text: () => string | undefined;
    readonly tell: (text: string) => void;
  }) {
    this.#options = options;
  }

  /** Something changed that may be part of the status. */
  changed(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#options.clock.schedule(REST, () => {
      this.#isDue = false;
      this.update();
    });
  }

  /** Tells it now, if it is another one. */
  update(): void {
    const text = this.#options.text();
    if (text === undefined || text === this.#lastText) return;
    this.#lastText = text;
    this.#options.tell(text);
  }
}

/** For `--debug`: says what becomes of each address, and why, whenever that changes. */
export class DecisionTrace {
  readonly #log: Logger;
  #said: ReadonlyMap<string, string> = new Map();

  constructor(log: Logger) {
    this.#log = log;
  }

  follow(decisions: readonly Decision[]): void {
    const now = new Map(
      decisions.map(({ address, interfaceName, outcome, reason }) => [
        `${address} on ${interfaceName}`,
        `${outcome}, ${reason}`,
      ]),
    );
    for (const [what, verdict] of now)
      if (this.#said.get(what) !== verdict) this.#log.debug(`${what}: ${verdict}`);
    for (const what of this.#said.keys()) if (!now.has(what)) this.#log.debug(`${what}: gone`);
    this.#said = now;
  }
}
