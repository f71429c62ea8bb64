import { oneLine } from "../../base/text.ts";

/** Messages to the service manager (sd_notify(3)). If it did not ask for them, nothing is sent. */
export interface Notifier {
  /** Start, or a reload, is done. */
  ready(): void;
  reloading(): void;
  stopping(): void;
  watchdog(): void;
  /** One line for `systemctl status` that says what mptcpd does; an empty line sends nothing. */
  status(text: string): void;
  /** Milliseconds between calls of watchdog(), half of what the manager waits; undefined if it does not watch. */
  readonly watchdogInterval: number | undefined;
}

export interface NotifierOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Sends one datagram to a Unix socket, "@name" being an abstract one; throws if it cannot. */
  readonly sendDatagram: (path: string, data: Uint8Array) => void;
  readonly pid?: number;
  /** CLOCK_MONOTONIC in nanoseconds. */
  readonly now?: () => bigint;
}

/** Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. */
export function createNotifier(options: NotifierOptions): Notifier {
  const { environment, sendDatagram, pid = process.pid, now = process.hrtime.bigint } = options;
  const { NOTIFY_SOCKET: address } = environment;
  const path = socketPath(address);
  const notify = (...assignments: readonly string[]): void => {
    if (path === undefined) return;
    try {
      sendDatagram(path, Buffer.from(assignments.join("\n")));
    } catch {
      // sd_notify(3) advises to ignore it: the manager that is gone needs no news, and its timeouts tell the rest.
    }
  };
  return {
    ready: () => notify("READY=1"),
    // Type=notify-reload pairs this with the READY=1 that follows by the time.
    reloading: () => notify("RELOADING=1", `MONOTONIC_USEC=${now() / 1000n}`),
    stopping: () => notify("STOPPING=1"),
    watchdog: () => notify("WATCHDOG=1"),
    status: (text) => notify(`STATUS=${oneLine(text)}`),
    watchdogInterval: path === undefined ? undefined : watchdogInterval(environment, pid),
  };
}

function socketPath(value: string | undefined): string | undefined {
  // "@name" is the abstract socket of that name (unix(7)). Other kinds (vsock:) are for virtual machines.
  return value?.startsWith("/") || value?.startsWith("@") ? value : undefined;
}

/** sd_watchdog_enabled(3): meant for us if WATCHDOG_PID is unset or ours; to be called after half of the time. */
function watchdogInterval(environment: NotifierOptions["environment"], pid: number): number | undefined {
  const { WATCHDOG_USEC: microseconds = "", WATCHDOG_PID: watched } = environment;
  if (watched !== undefined && watched !== String(pid)) return undefined;
  if (!/^[1-9]\d{0,17}$/.test(microseconds)) return undefined;
  // Timers take up to 2³¹ - 1 milliseconds; to come earlier does no harm.
  return Math.min(2 ** 31 - 1, Math.max(1, Math.floor(Number(microseconds) / 2000)));
}
