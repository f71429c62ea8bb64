/** What `connections`, `subflow …`, `announce`, `withdraw` and `listen` may be followed by. */
import { canonicalIp, unmapped } from "../../kernel/netlink/ip.ts";
import { once, readAddress } from "./checks.ts";
import { UsageError } from "./exit.ts";
import { address, addressId, dev, port, token, tokenOf } from "./keywords.ts";
import { type Grammar, type Keyword, readNumber, readWords, unknownWord, type WordTable } from "./words.ts";

export const connectionUsages = {
  connections: "[ TOKEN | ADDRESS ]",
  subflow: {
    create: "token TOKEN ADDRESS [ id ID ] [ dev NAME ] to ADDRESS [ port NR ] [ backup ]",
    destroy: "token TOKEN ADDRESS port NR to ADDRESS port NR",
    change: "token TOKEN ADDRESS port NR to ADDRESS port NR { backup | nobackup }",
  },
  announce: "token TOKEN ADDRESS [ id ID ] [ port NR ] [ dev NAME ] [ listen ]",
  withdraw: "token TOKEN id ID",
  listen: "ADDRESS port NR",
} as const;

/** Which connections are meant; neither: all. */
export type ConnectionSelection = { token?: number; address?: string };

export function readConnectionsWords(words: readonly string[]): ConnectionSelection {
  if (words.length > 1) throw new UsageError("connections: one TOKEN or one ADDRESS, or none for all");
  return readWords(connectionsGrammar, words, {});
}

/** An end of a subflow. */
type End = { readonly address: string; readonly port: number };

type SubflowEnds = { readonly token: number; readonly local: End; readonly remote: End };

export type CreateRequest = {
  readonly token: number;
  readonly address: string;
  readonly id: number | undefined;
  readonly dev: string | undefined;
  readonly to: { readonly address: string; readonly port: number | undefined };
  readonly backup: boolean;
};

export function readCreateWords(words: readonly string[]): CreateRequest {
  const command = "subflow create";
  const draft = readWords(subflowGrammars.create, words, {});
  const { id, dev, backup = false } = draft;
  const to = given(command, draft.to, "to ADDRESS");
  if (draft.port !== undefined)
    throw new UsageError(
      `${command}: the port of ADDRESS is the kernel's to choose; port goes with to ADDRESS`,
    );
  return {
    ...{
      token: given(command, draft.token, "token TOKEN"),
      address: given(command, draft.address, "ADDRESS"),
    },
    ...{ id, dev, to: { address: to.address, port: to.port }, backup },
  };
}

export function readDestroyWords(words: readonly string[]): SubflowEnds {
  return endsIn("subflow destroy", readWords(subflowGrammars.destroy, words, {}));
}

export function readChangeWords(words: readonly string[]): SubflowEnds & { readonly backup: boolean } {
  const draft = readWords(subflowGrammars.change, words, {});
  const ends = endsIn("subflow change", draft);
  if (draft.backup === undefined)
    throw new UsageError("subflow change: say what to change: backup, nobackup");
  return { ...ends, backup: draft.backup };
}

export type AnnounceRequest = {
  readonly token: number;
  readonly address: string;
  readonly id: number | undefined;
  readonly port: number | undefined;
  readonly dev: string | undefined;
  readonly listen: boolean;
};

export function readAnnounceWords(words: readonly string[]): AnnounceRequest {
  const command = "announce";
  const draft = readWords(announceGrammar, words, {});
  const { id, port, dev, listen = false } = draft;
  if (id === 0)
    throw new UsageError(`${command}: id 0 is the address of the initial subflow, which the peer knows`);
  if (port === 0 && !listen)
    throw new UsageError(`${command}: port 0 stands for one that is free, which takes \`listen\``);
  return {
    ...{
      token: given(command, draft.token, "token TOKEN"),
      address: given(command, draft.address, "ADDRESS"),
    },
    ...{ id, port, dev, listen },
  };
}

export function readWithdrawWords(words: readonly string[]): { readonly token: number; readonly id: number } {
  const command = "withdraw";
  const draft = readWords(withdrawGrammar, words, {});
  return { token: given(command, draft.token, "token TOKEN"), id: given(command, draft.id, "id ID") };
}

export function readListenWords(words: readonly string[]): End {
  const command = "listen";
  const draft = readWords(listenGrammar, words, {});
  return { address: given(command, draft.address, "ADDRESS"), port: given(command, draft.port, "port NR") };
}

type SubflowDraft = {
  token?: number;
  address?: string;
  port?: number;
  id?: number;
  dev?: string;
  to?: { readonly address: string; port?: number };
  backup?: boolean;
};

type AnnounceDraft = {
  token?: number;
  address?: string;
  id?: number;
  port?: number;
  dev?: string;
  listen?: boolean;
};

const connectionsGrammar: Grammar<ConnectionSelection> = {
  command: "connections",
  flags: [],
  keywords: {},
  other: {
    value: "TOKEN or ADDRESS",
    read(request, word, grammar) {
      const address = canonicalIp(word);
      const token = tokenOf(word);
      if (address !== undefined) request.address = unmapped(address);
      else if (token !== undefined) request.token = token;
      else throw unknownWord(grammar, word);
    },
  },
};

/** What follows is the peer's end. */
const to: Keyword<SubflowDraft> = {
  value: "ADDRESS",
  read(draft, word, grammar) {
    const address = readAddress(word, grammar);
    once(grammar.command, "to", draft.to);
    draft.to = { address };
  },
};

/** This host's end. A second address without a word before it is most likely meant to be the peer's. */
const local: Keyword<SubflowDraft> = {
  value: "ADDRESS",
  read(draft, word, grammar) {
    const address = readAddress(word, grammar);
    if (draft.address !== undefined) given(grammar.command, draft.to, "to ADDRESS");
    once(grammar.command, "ADDRESS", draft.address);
    draft.address = address;
  },
};

/** Of the address before it. */
const portOfEnd: Keyword<SubflowDraft> = {
  value: "NR",
  read(draft, word, { command }) {
    const port = readNumber(command, "port", word, 65535);
    once(command, "a port of one address", draft.to === undefined ? draft.port : draft.to.port);
    if (draft.to !== undefined) draft.to.port = port;
    else if (draft.address !== undefined) draft.port = port;
    else throw new UsageError(`${command}: port comes after the address that it belongs to`);
  },
};

// `to` is the first: it is a prefix of `token`.
const ends = { to, token, port: portOfEnd } as const;

const subflowGrammars: Readonly<Record<keyof (typeof connectionUsages)["subflow"], Grammar<SubflowDraft>>> = {
  create: {
    command: "subflow create",
    flags: ["backup"],
    readFlag(draft) {
      draft.backup = true;
    },
    keywords: { ...ends, id: addressId, dev },
    other: local,
  },
  destroy: { command: "subflow destroy", flags: [], keywords: ends, other: local },
  change: {
    command: "subflow change",
    flags: ["backup", "nobackup"],
    readFlag(draft, flag) {
      draft.backup = flag === "backup";
    },
    keywords: ends,
    other: local,
  },
};

const announceGrammar: Grammar<AnnounceDraft> = {
  command: "announce",
  flags: ["listen"],
  readFlag(draft) {
    draft.listen = true;
  },
  keywords: { token, id: addressId, port, dev },
  other: address,
};

const withdrawGrammar: Grammar<{ token?: number; id?: number }> = {
  command: "withdraw",
  flags: [],
  keywords: { token, id: addressId },
};

const listenGrammar: Grammar<{ address?: string; port?: number }> = {
  command: "listen",
  flags: [],
  keywords: { port },
  other: address,
};

/** The words of each of these commands. */
export const connectionWordTables: readonly WordTable[] = [
  ...Object.values(subflowGrammars),
  announceGrammar,
  withdrawGrammar,
  listenGrammar,
];

function endsIn(command: string, draft: SubflowDraft): SubflowEnds {
  const token = given(command, draft.token, "token TOKEN");
  const local = given(command, draft.address, "ADDRESS");
  const to = given(command, draft.to, "to ADDRESS");
  return {
    token,
    local: { address: local, port: given(command, draft.port, "port NR after ADDRESS") },
    remote: { address: to.address, port: given(command, to.port, "port NR after to ADDRESS") },
  };
}

function given<T>(command: string, value: T | undefined, what: string): T {
  if (value !== undefined) return value;
  throw new UsageError(`${command}: ${what} is missing: ${usageOf(command)}`);
}

function usageOf(command: string): string {
  return usageLines.get(command) ?? "";
}

const usageLines: ReadonlyMap<string, string> = new Map([
  ["subflow create", connectionUsages.subflow.create],
  ["subflow destroy", connectionUsages.subflow.destroy],
  ["subflow change", connectionUsages.subflow.change],
  ["announce", connectionUsages.announce],
  ["withdraw", connectionUsages.withdraw],
  ["listen", connectionUsages.listen],
]);
