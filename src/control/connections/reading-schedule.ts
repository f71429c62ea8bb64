import type { Clock, Timer } from "../../base/clock.ts";
import { stopwatch } from "../../base/deadlines.ts";

/**
 * Milliseconds between two readings of all sockets. The kernel tells nobody when a peer resets a whole connection, nor
 * when a subflow ends after its connection was half closed (net/mptcp/protocol.c, mptcp_check_fastclose,
 * mptcp_close_ssk).
 */
const READING_PERIOD = 5000;
const IDLE_READING_PERIOD = 30_000;
/** After a reading, rest for this many times as long as it took, so that readings use at most 2 % of a core. */
const REST = 50;
const REST_UNSETTLED = 5;
/**
 * Milliseconds until the next reading if the last one left something unclear or failed; longer each time.
 */
const RETRY = 100;

/** What a reading has shown. */
export interface ReadingResult {
  readonly connections: number;
  /** Whether something is to be looked at again soon. */
  readonly isUnsettled: boolean;
}

export interface ReadingScheduleOptions {
  readonly clock: Clock;
  /** Reads all sockets. Readings never overlap. Resolves with undefined when there is nothing more to read. */
  readonly read: () => Promise<ReadingResult | undefined>;
  /** A reading failed and will be repeated; `earlierFailures`: how many failed before it since the last success. */
  readonly onFailure: (error: unknown, earlierFailures: number) => void;
}

/** When the kernel's list of sockets is read: from time to time, and soon after something asks for it. */
export class ReadingSchedule {
  readonly #options: ReadingScheduleOptions;
  /** When to read next. */
  #due = Number.POSITIVE_INFINITY;
  #timer: Timer | undefined;
  #reading: Promise<void> | undefined;
  /** Readings that failed since one worked. */
  #failures = 0;
  /** True from `begin` to `close`: nothing is read at other times. */
  #isRunning = false;

  constructor(options: ReadingScheduleOptions) {
    this.#options = options;
  }

  /** Begins with the first reading. */
  begin(): void {
    this.#isRunning = true;
    this.#begin();
  }

  /** Call this when there are connections and there were none before. */
  firstConnection(): void {
    this.#readIn(READING_PERIOD);
  }

  /** Something is missing that the next reading may show. */
  readSoon(): void {
    this.#readIn(RETRY);
  }

  readNow(): void {
    this.#readIn(0);
  }

  /** Resolves when no reading is under way. */
  async settled(): Promise<void> {
    while (this.#reading) await this.#reading;
  }

  close(): void {
    this.#isRunning = false;
    this.#timer?.cancel();
  }

  /** Reads after this many milliseconds, or earlier if a reading is due; if a reading is under way, after it. */
  #readIn(milliseconds: number): void {
    const due = this.#options.clock.now() + milliseconds;
    if (due >= this.#due) return;
    this.#due = due;
    if (this.#reading === undefined) this.#arm();
  }

  #arm(): void {
    if (!this.#isRunning) return;
    const { clock } = this.#options;
    this.#timer?.cancel();
    this.#timer = clock.schedule(Math.max(this.#due - clock.now(), 0), () => this.#begin());
  }

  #begin(): void {
    this.#timer?.cancel();
    this.#due = Number.POSITIVE_INFINITY;
    this.#reading = this.#read().finally(() => {
      this.#reading = undefined;
      this.#arm();
    });
  }

  async #read(): Promise<void> {
    const { clock, read, onFailure } = this.#options;
    // If the machine paused during the reading, do not read less often because of that.
    const tookSoFar = stopwatch(clock);
    try {
      const result = await read();
      if (result === undefined) return;
      this.#failures = 0;
      this.#readIn(restAfter(tookSoFar(), result));
    } catch (error) {
      if (!this.#isRunning) return;
      onFailure(error, this.#failures);
      this.#readIn(Math.min(RETRY * 2 ** this.#failures++, IDLE_READING_PERIOD));
    } finally {
      tookSoFar();
    }
  }
}

function restAfter(took: number, { connections, isUnsettled }: ReadingResult): number {
  if (isUnsettled) return Math.min(Math.max(RETRY, REST_UNSETTLED * took), READING_PERIOD);
  return Math.max(connections > 0 ? READING_PERIOD : IDLE_READING_PERIOD, REST * took);
}
