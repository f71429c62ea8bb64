/** `mptcpctl subflow …`: manages subflows of connections under a userspace path manager. */
import { tokenText } from "../../../control/connections/connection.ts";
import { findSubflow } from "../../../control/connections/connection-record.ts";
import { endpointFlags } from "../../../kernel/mptcp-pm.ts";
import { withConnection } from "../io/connection-access.ts";
import { subflowLine, subflowObject } from "../io/connection-format.ts";
import { indexOf, namesOf } from "../io/interfaces.ts";
import { jsonList } from "../io/ip-format.ts";
import { type CommandOutput, UsageError } from "../io/output.ts";
import { subflowUsages } from "../io/usages.ts";
import {
  addressId,
  dev,
  type Grammar,
  given,
  type Keyword,
  once,
  readAddress,
  readNumber,
  readWords,
  token,
  type WordTable,
} from "../io/word-grammar.ts";

export type SubflowCommand = "create" | "destroy" | "change";

export type CreateOptions = {
  /** Seconds that the peer has to answer. */
  readonly deadline?: string;
  /** False: do not wait for the peer. */
  readonly wait?: boolean;
};

/** An end of a subflow. */
export type End = { readonly address: string; readonly port: number };

type SubflowEnds = { readonly token: number; readonly local: End; readonly remote: End };

export type CreateRequest = {
  readonly token: number;
  readonly address: string;
  readonly id: number | undefined;
  readonly dev: string | undefined;
  readonly to: { readonly address: string; readonly port: number | undefined };
  readonly backup: boolean;
};

export function runSubflow(
  command: SubflowCommand,
  words: readonly string[],
  options: CreateOptions,
  output: CommandOutput,
): Promise<void> {
  if (command === "create") return create(words, options, output);
  return command === "destroy" ? destroy(words, output) : change(words, output);
}

export function readCreateWords(words: readonly string[]): CreateRequest {
  const command = "subflow create";
  const draft = readWords(subflowGrammars.create, words, {});
  const { id, dev, backup = false } = draft;
  const to = given(subflowGrammars.create, draft.to, "to ADDRESS");
  if (draft.port !== undefined)
    throw new UsageError(`${command}: the kernel chooses the port of ADDRESS; port goes after to ADDRESS`);
  return {
    ...{
      token: given(subflowGrammars.create, draft.token, "token TOKEN"),
      address: given(subflowGrammars.create, draft.address, "ADDRESS"),
    },
    ...{ id, dev, to: { address: to.address, port: to.port }, backup },
  };
}

export function readDestroyWords(words: readonly string[]): SubflowEnds {
  return endsIn(subflowGrammars.destroy, readWords(subflowGrammars.destroy, words, {}));
}

export function readChangeWords(words: readonly string[]): SubflowEnds & { readonly backup: boolean } {
  const draft = readWords(subflowGrammars.change, words, {});
  const ends = endsIn(subflowGrammars.change, draft);
  if (draft.backup === undefined)
    throw new UsageError("subflow change: say what to change: backup, nobackup");
  return { ...ends, backup: draft.backup };
}

async function create(
  words: readonly string[],
  options: CreateOptions,
  output: CommandOutput,
): Promise<void> {
  const { token, address, id, dev, to, backup } = readCreateWords(words);
  const deadline = deadlineOf(options);
  const what = `create subflow ${address} to ${to.address} of connection ${tokenText(token)}`;
  const ifIndex = dev === undefined ? undefined : await indexOf(dev, what);
  await withConnection(token, output, async ({ connection, subflows }) => {
    const wanted = { from: { address, ifIndex }, id, to, backup, deadline };
    const { wait = true } = options;
    const subflow = await (wait ? subflows.create(connection, wanted) : subflows.begin(connection, wanted));
    const device = (await namesOf([subflow.ifIndex])).get(subflow.ifIndex);
    output.write(
      output.json
        ? jsonList([subflowObject(token, subflow, device)], output.pretty)
        : subflowLine(token, subflow, device),
    );
  });
}

async function destroy(words: readonly string[], output: CommandOutput): Promise<void> {
  const ends = readDestroyWords(words);
  await withConnection(ends.token, output, async ({ pm, connection, subflows }) => {
    const subflow = findSubflow(connection.subflows, ends.local, ends.remote);
    // Send the command for an unknown subflow, too: the kernel refuses it in its own words.
    await (subflow === undefined ? pm.destroySubflow(ends) : subflows.destroy(connection, subflow));
  });
}

async function change(words: readonly string[], output: CommandOutput): Promise<void> {
  const { backup, ...ends } = readChangeWords(words);
  await withConnection(ends.token, output, async ({ pm, connection, subflows }) => {
    const subflow = findSubflow(connection.subflows, ends.local, ends.remote);
    const flags = endpointFlags.of(...(backup ? (["backup"] as const) : []));
    await (subflow === undefined
      ? pm.setSubflowFlags({ ...ends, flags })
      : subflows.setBackup(connection, subflow, backup));
  });
}

/** In milliseconds. */
function deadlineOf({ deadline = "10" }: CreateOptions): number {
  const seconds = /^\d{1,6}(\.\d{1,3})?$/.test(deadline) ? Number(deadline) : Number.NaN;
  if (seconds > 0 && seconds <= 86_400) return seconds * 1000;
  throw new UsageError(
    `subflow create: "${deadline}" is not a deadline; give a number of seconds, at most 86400`,
  );
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

/** The peer's end follows. */
const to: Keyword<SubflowDraft> = {
  value: "ADDRESS",
  read(draft, word, grammar) {
    const address = readAddress(word, grammar);
    once(grammar.command, "to", draft.to);
    draft.to = { address };
  },
};

/** This host's end. A second address without a keyword is most likely the peer's, with `to` forgotten. */
const local: Keyword<SubflowDraft> = {
  value: "ADDRESS",
  read(draft, word, grammar) {
    const address = readAddress(word, grammar);
    if (draft.address !== undefined) given(grammar, draft.to, "to ADDRESS");
    once(grammar.command, "ADDRESS", draft.address);
    draft.address = address;
  },
};

/** The port of the address before it. */
const portOfEnd: Keyword<SubflowDraft> = {
  value: "NR",
  read(draft, word, { command }) {
    const port = readNumber(command, "port", word, 65535);
    once(command, "a port of one address", draft.to === undefined ? draft.port : draft.to.port);
    if (draft.to !== undefined) draft.to.port = port;
    else if (draft.address !== undefined) draft.port = port;
    else throw new UsageError(`${command}: port must follow the address that it belongs to`);
  },
};

// `to` comes first: it is also a prefix of `token`.
const ends = { to, token, port: portOfEnd } as const;

const subflowGrammars: Readonly<Record<keyof typeof subflowUsages, Grammar<SubflowDraft>>> = {
  create: {
    command: "subflow create",
    usage: subflowUsages.create,
    flags: ["backup"],
    readFlag(draft) {
      draft.backup = true;
    },
    keywords: { ...ends, id: addressId, dev },
    other: local,
  },
  destroy: {
    command: "subflow destroy",
    usage: subflowUsages.destroy,
    flags: [],
    keywords: ends,
    other: local,
  },
  change: {
    command: "subflow change",
    usage: subflowUsages.change,
    flags: ["backup", "nobackup"],
    readFlag(draft, flag) {
      draft.backup = flag === "backup";
    },
    keywords: ends,
    other: local,
  },
};

export const subflowWordTables: readonly WordTable[] = Object.values(subflowGrammars);

function endsIn(grammar: Grammar<SubflowDraft>, draft: SubflowDraft): SubflowEnds {
  const token = given(grammar, draft.token, "token TOKEN");
  const local = given(grammar, draft.address, "ADDRESS");
  const to = given(grammar, draft.to, "to ADDRESS");
  return {
    token,
    local: { address: local, port: given(grammar, draft.port, "port NR after ADDRESS") },
    remote: { address: to.address, port: given(grammar, to.port, "port NR after to ADDRESS") },
  };
}
