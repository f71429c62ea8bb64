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

/** One line for `systemctl status`, with local times. */
export function statusText(
  { file = "the defaults", since, refused }: InForce,
  { endpoints, uplinks, pathManagers }: Summary,
): string {
  const managers = pathManagers.length === 0 ? "none" : pathManagers.join(", ");
  const parts = [
    `${file} in force since ${localTime(since)}`,
    `${count(endpoints, "endpoint")}, ${count(uplinks, "uplink")}`,
    `path manager${pathManagers.length > 1 ? "s" : ""}: ${managers}`,
  ];
  if (refused) {
    const { at, why } = refused;
    parts.push(`the last reload (${localTime(at)}) was refused: ${cut(why, LONGEST_REASON)}`);
  }
  return oneLine(parts.join("; "));
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

/**
 * "2026-11-30 10:20:03 UTC", or with "+0100" at the end. Without Intl, which takes longer to start than mptcpd, and
 * which alone knows the names of zones.
 */
function localTime(date: Date): string {
  const day = [String(date.getFullYear()), two(date.getMonth() + 1), two(date.getDate())].join("-");
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return `${day} ${time} ${zoneOf(-date.getTimezoneOffset())}`;
}

/** @param minutes east of Greenwich */
function zoneOf(minutes: number): string {
  if (minutes === 0) return "UTC";
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}${two(size % 60)}`;
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}

/** Milliseconds between two looks: a network that flaps is not told about each time. */
const REST = 1000;

/** Tells the status whenever it differs from the last one told, at most once a second. */
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

/** For `--debug`: logs the decision about each address, and its reason, whenever it changes. */
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
