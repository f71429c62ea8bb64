/** `mptcpctl connections`: lists the MPTCP connections of this network namespace, read by sock_diag(7). */
import { tokenText } from "../../../control/connections/connection.ts";
import { dumpAddresses } from "../../../kernel/addresses.ts";
import { dumpLinks } from "../../../kernel/links.ts";
import { canonicalIp, unmapped } from "../../../kernel/netlink/ip.ts";
import { openRtnetlink } from "../../../kernel/rtnetlink.ts";
import { type CarryingSocket, type MptcpConnection, Sockets } from "../../../kernel/sockets.ts";
import { connectionObject, connectionText, type InterfaceOf } from "../io/connection-format.ts";
import { unnamed } from "../io/interfaces.ts";
import { jsonList } from "../io/ip-format.ts";
import { CommandError, type CommandOutput, UsageError } from "../io/output.ts";
import { type Grammar, readWords, tokenOf, unknownWord } from "../io/word-grammar.ts";

export async function runConnections(words: readonly string[], output: CommandOutput): Promise<void> {
  const selection = readConnectionsWords(words);
  const all = await currentConnections();
  const shown = select(all, selection);
  const interfaceOf = await readInterfaces();
  if (output.json) {
    const objects = shown.map((connection) => connectionObject(connection, interfaceOf));
    output.write(jsonList(objects, output.pretty));
  } else if (shown.length === 0) output.warn("there are no MPTCP connections in this network namespace");
  else {
    const texts = shown.map((connection) => connectionText(connection, interfaceOf, output.columns));
    output.write(texts.join("\n"));
  }
  // After a fallback to plain TCP nobody could tell more, not even root.
  if (shown.some(({ unidentified, info }) => unidentified.length > 0 && !info.flags.has("fallback")))
    output.warn(
      "without CAP_NET_ADMIN this kernel hides the address ids and backup flags of subflows, and the connection of a subflow that no program has open; run it as root",
    );
}

/** Which connections to show. Without token and address: all. */
export type ConnectionSelection = { token?: number; address?: string };

export function readConnectionsWords(words: readonly string[]): ConnectionSelection {
  if (words.length > 1) throw new UsageError("connections: one TOKEN or one ADDRESS, or none for all");
  return readWords(connectionsGrammar, words, {});
}

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

export async function currentConnections(): Promise<MptcpConnection[]> {
  const sockets = Sockets.open();
  try {
    return await sockets.dumpConnections();
  } finally {
    sockets.close();
  }
}

function select(
  connections: readonly MptcpConnection[],
  { token, address }: ConnectionSelection,
): readonly MptcpConnection[] {
  if (token === undefined && address === undefined) return connections;
  const found = connections.filter(
    (connection) => connection.token === token || (address !== undefined && isAt(connection, address)),
  );
  if (found.length > 0) return found;
  const problem =
    token === undefined
      ? `connections of ${address}: there are none`
      : `connection ${tokenText(token)}: there is none`;
  throw new CommandError("ENOENT", `cannot show ${problem} (ENOENT)`);
}

/** Whether the connection or one of its subflows has this address at either end. */
function isAt({ local, remote, subflows, unidentified }: MptcpConnection, address: string): boolean {
  const ends = [{ local, remote }, ...subflows, ...unidentified];
  return ends.some((socket) => socket.local.address === address || socket.remote.address === address);
}

/** Finds the interface that a socket is bound to, else the interface that has its address. */
export async function readInterfaces(): Promise<InterfaceOf> {
  const connection = openRtnetlink();
  try {
    const links = (await dumpLinks(connection)).items;
    const addresses = (await dumpAddresses(connection)).items;
    const names = new Map(links.map(({ index, name }) => [index, name]));
    const places = new Map(addresses.toReversed().map(({ address, ifIndex }) => [address, ifIndex]));
    return ({ ifIndex: bound, local }: CarryingSocket) => {
      const index = bound || places.get(local.address);
      return index === undefined ? undefined : (names.get(index) ?? unnamed(index));
    };
  } finally {
    connection.close();
  }
}
