/** The ways by which a unit comes to use MPTCP. */
export const ways = ["preload", "go", "seccomp", "bpf", "socket"] as const;
export type Way = (typeof ways)[number];

/** The version of systemd that the way "socket" needs: SocketProtocol=mptcp came with it (systemd.socket(5)). */
export const versionWithSocketProtocol = 257;

/** What `--how` asks for. */
export const hows = ["auto", "preload", "seccomp", "bpf"] as const;
export type How = (typeof hows)[number];

/** What `--options` asks for: the answer where MPTCP refuses a socket option. */
export const optionPolicies = ["tolerate", "tcp", "refuse"] as const;

/** The variables by which the ways `preload` and `go` work: the dynamic linker reads one, Go programs the other. */
export const variables = ["LD_PRELOAD", "GODEBUG"] as const;
export type VariableName = (typeof variables)[number];
