/** `mptcpctl announce`, `withdraw` and `listen`: addresses to which the peers of connections may connect. */
import { tokenText } from "../../../control/connections/connection.ts";
import { Listeners } from "../../../control/connections/listeners.ts";
import { endpointFlags } from "../../../kernel/mptcp-pm.ts";
import { withConnection } from "../io/connection-access.ts";
import { placeText } from "../io/connection-format.ts";
import { indexOf, namesOf } from "../io/interfaces.ts";
import { endpointLine, endpointObject, jsonList } from "../io/ip-format.ts";
import { type CommandOutput, interrupted, UsageError } from "../io/output.ts";
import { announceUsages } from "../io/usages.ts";
import {
  address,
  addressId,
  dev,
  type Grammar,
  given,
  port,
  readWords,
  token,
  type WordTable,
} from "../io/word-grammar.ts";

export async function runAnnounce(words: readonly string[], output: CommandOutput): Promise<void> {
  const { token, address, id, port, dev, listen } = readAnnounceWords(words);
  const what = `announce ${address} to connection ${tokenText(token)}`;
  const ifIndex = dev === undefined ? undefined : await indexOf(dev, what);
  await withConnection(token, output, async ({ connection, announcements, ended }) => {
    const wanted = { address, id, port, ifIndex, listen };
    const announced = await announcements.announce(connection, wanted);
    // Print it as `endpoint show token TOKEN` lists it from now on.
    const device = (await namesOf([ifIndex ?? 0])).get(ifIndex ?? 0);
    const endpoint = { ...announced, flags: endpointFlags.of("signal"), ifIndex: ifIndex ?? 0 };
    output.write(
      output.json
        ? jsonList([endpointObject(endpoint, device)], output.pretty)
        : endpointLine(endpoint, device),
    );
    if (listen) await interrupted(ended);
  });
}

export async function runWithdraw(words: readonly string[], output: CommandOutput): Promise<void> {
  const { token, id } = readWithdrawWords(words);
  await withConnection(token, output, ({ connection, announcements }) =>
    announcements.withdraw(connection, { id }),
  );
}

export async function runListen(words: readonly string[], output: CommandOutput): Promise<void> {
  const { address, port: wanted } = readListenWords(words);
  const { port, close } = new Listeners().open(address, wanted);
  try {
    const listener = { address, port };
    output.write(output.json ? jsonList([listener], output.pretty) : `listening on ${placeText(listener)}\n`);
    await interrupted();
  } finally {
    close();
  }
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
    throw new UsageError(`${command}: id 0 is the address of the initial subflow; the peer knows it already`);
  if (port === 0 && !listen)
    throw new UsageError(`${command}: port 0 means any free port, which needs \`listen\``);
  return {
    ...{
      token: given(announceGrammar, draft.token, "token TOKEN"),
      address: given(announceGrammar, draft.address, "ADDRESS"),
    },
    ...{ id, port, dev, listen },
  };
}

export function readWithdrawWords(words: readonly string[]): { readonly token: number; readonly id: number } {
  const draft = readWords(withdrawGrammar, words, {});
  return {
    token: given(withdrawGrammar, draft.token, "token TOKEN"),
    id: given(withdrawGrammar, draft.id, "id ID"),
  };
}

export function readListenWords(words: readonly string[]): {
  readonly address: string;
  readonly port: number;
} {
  const draft = readWords(listenGrammar, words, {});
  return {
    address: given(listenGrammar, draft.address, "ADDRESS"),
    port: given(listenGrammar, draft.port, "port NR"),
  };
}

type AnnounceDraft = {
  token?: number;
  address?: string;
  id?: number;
  port?: number;
  dev?: string;
  listen?: boolean;
};

const announceGrammar: Grammar<AnnounceDraft> = {
  command: "announce",
  usage: announceUsages.announce,
  flags: ["listen"],
  readFlag(draft) {
    draft.listen = true;
  },
  keywords: { token, id: addressId, port, dev },
  other: address,
};

const withdrawGrammar: Grammar<{ token?: number; id?: number }> = {
  command: "withdraw",
  usage: announceUsages.withdraw,
  flags: [],
  keywords: { token, id: addressId },
};

const listenGrammar: Grammar<{ address?: string; port?: number }> = {
  command: "listen",
  usage: announceUsages.listen,
  flags: [],
  keywords: { port },
  other: address,
};

/** The words of each of these commands. */
export const announceWordTables: readonly WordTable[] = [announceGrammar, withdrawGrammar, listenGrammar];
