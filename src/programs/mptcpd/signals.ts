/** What signals mean to mptcpd. */
export const signals = {
  reload: "SIGHUP",
  /** Sent by `mptcpctl adopt`. */
  resync: "SIGUSR1",
  stop: ["SIGTERM", "SIGINT"],
  /** Node would die of it. */
  ignore: "SIGUSR2",
} as const;
