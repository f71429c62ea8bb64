/** What `connections`, `announce`, `withdraw` and `listen` may be followed by. */
import { canonicalIp, unmapped } from "../../kernel/netlink/ip.ts";
import { UsageError } from "./exit.ts";
import { address, addressId, dev, port, required, token, tokenOf } from "./keywords.ts";
import { type Grammar, readWords, unknownWord, type WordTable } from "./word-grammar.ts";

export const connectionUsages = {
  connections: "[ TOKEN | ADDRESS ]",
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

export function readListenWords(words: readonly string[]): {
  readonly address: string;
  readonly port: number;
} {
  const command = "listen";
  const draft = readWords(listenGrammar, words, {});
  return { address: given(command, draft.address, "ADDRESS"), port: given(command, draft.port, "port NR") };
}

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
export const connectionWordTables: readonly WordTable[] = [announceGrammar, withdrawGrammar, listenGrammar];

function given<T>(command: string, value: T | undefined, what: string): T {
  return required(value, what, command, usageLines.get(command));
}

const usageLines: ReadonlyMap<string, string> = new Map([
  ["announce", connectionUsages.announce],
  ["withdraw", connectionUsages.withdraw],
  ["listen", connectionUsages.listen],
]);
