/** The ways to make a unit use MPTCP. */
export const ways = ["preload", "go", "seccomp", "bpf", "socket"] as const;
export type Way = (typeof ways)[number];

/** The way "socket" needs this version of systemd, the first with SocketProtocol=mptcp (systemd.socket(5)). */
export const versionWithSocketProtocol = 257;

/** The values of `--how`. */
export const hows = ["auto", "preload", "seccomp", "bpf"] as const;
export type How = (typeof hows)[number];

/** The values of `--options`: the answer if MPTCP refuses a socket option. */
export const optionPolicies = ["tolerate", "tcp", "refuse"] as const;

/** The variables of the ways `preload` and `go`: the dynamic linker reads the first, Go programs read the second. */
export const variables = ["LD_PRELOAD", "GODEBUG"] as const;
export type VariableName = (typeof variables)[number];
