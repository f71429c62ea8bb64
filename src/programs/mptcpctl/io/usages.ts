/** The grammar of each command's words, for its help and for error messages. */

export const endpointUsages = {
  add: "ADDRESS [ dev NAME ] [ id ID ] [ port NR ] [ signal | subflow | laminar | backup | fullmesh ]...",
  change: "{ id ID | ADDRESS [ port NR ] } { backup | nobackup | fullmesh | nofullmesh }...",
  delete: "id ID [ ADDRESS ]",
  show: "[ id ID | ADDRESS ] [ token TOKEN ]",
  flush: "",
} as const;

export const limitsUsages = { set: "[ subflows NR ] [ add_addr_accepted NR ]", show: "" } as const;

export const connectionsUsage = "[ TOKEN | ADDRESS ]";

export const subflowUsages = {
  create: "token TOKEN ADDRESS [ id ID ] [ dev NAME ] to ADDRESS [ port NR ] [ backup ]",
  destroy: "token TOKEN ADDRESS port NR to ADDRESS port NR",
  change: "token TOKEN ADDRESS port NR to ADDRESS port NR { backup | nobackup }",
} as const;

export const announceUsages = {
  announce: "token TOKEN ADDRESS [ id ID ] [ port NR ] [ dev NAME ] [ listen ]",
  withdraw: "token TOKEN id ID",
  listen: "ADDRESS port NR",
} as const;
