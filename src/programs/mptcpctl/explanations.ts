/** What stands under the help of single commands: their words, as far as the usage does not say it. */

const tokens = "TOKEN: which connection, as `mptcpctl connections` and `mptcpctl monitor` print it.";
const userspace = "The connection has to be under a userspace path manager (net.mptcp.path_manager).";

/** By the command's path. */
export const explanations: Readonly<Record<string, string>> = {
  "mptcpctl endpoint add": `  signal    tell peers of the address (servers); not with fullmesh
  subflow   open further subflows from it (clients)
  laminar   use it towards addresses that peers told of (Linux 6.18)
  backup    use its subflows only where no others are left
  fullmesh  open a subflow from it to every address of the peer
  dev       its subflows leave by this interface
  id        1 to 255; the kernel chooses if not given
  port      what is announced with the address; takes signal`,
  "mptcpctl endpoint change":
    "`mptcpctl endpoint change id 1 backup` clears fullmesh, and the other way round.",
  "mptcpctl endpoint delete":
    "id 0 is the address of initial subflows: it takes ADDRESS, all others go by the id alone.",
  "mptcpctl limits set": `  subflows           how many subflows a connection may have beside the initial one
  add_addr_accepted  how many addresses that the peer announces are taken up`,
  "mptcpctl subflow create": `The first ADDRESS is this host's, the second the peer's. Without a port it is that of the initial
subflow. ${userspace}
${tokens}`,
  "mptcpctl subflow destroy": `Both ends, as \`mptcpctl connections\` prints them.
${userspace}
${tokens}`,
  "mptcpctl subflow change": `Both ends, as \`mptcpctl connections\` prints them.
${userspace}
${tokens}`,
  "mptcpctl announce": `  id      the address id; that of the address in this connection, or the lowest free, if not given
  port    where the peer is to connect to; that of the initial subflow if not given
  listen  hold a listening socket there until a signal, for where no program listens
${userspace}
${tokens}`,
  "mptcpctl withdraw": `${userspace}
${tokens}`,
  "mptcpctl listen": "Port 0 lets the kernel choose.",
};
