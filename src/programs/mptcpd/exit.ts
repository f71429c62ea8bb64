/** How mptcpd is ended, and how it ends: signals, exit codes, and the error that is not its own fault. */

/** A fault that the administrator can correct: the configuration, a privilege, the kernel. */
export const EXIT_FAILURE = 1;
/** EX_USAGE of sysexits(3): the command line. */
export const EXIT_USAGE = 64;
/** EX_SOFTWARE of sysexits(3): a fault of our own. */
export const EXIT_SOFTWARE = 70;

/** The daemon cannot run, and the reason is outside mptcpd; one line says what to do. Exit code 1. */
export class StartError extends Error {
  override readonly name = "StartError";
  readonly code = "ESTART";
}

/** What signals mean to mptcpd. */
export const signals = {
  reload: "SIGHUP",
  /** Sent by `mptcpctl adopt`. */
  resync: "SIGUSR1",
  stop: ["SIGTERM", "SIGINT"],
  /** Node would end at this signal. */
  ignore: "SIGUSR2",
} as const;
