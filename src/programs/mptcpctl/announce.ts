/** `mptcpctl announce`, `withdraw` and `listen`: addresses that the peers of connections may connect to. */
import { tokenText } from "../../control/connections/connection.ts";
import { Listeners } from "../../control/connections/listeners.ts";
import { endpointFlags } from "../../kernel/mptcp-pm.ts";
import { placeText } from "./connection-format.ts";
import { readAnnounceWords, readListenWords, readWithdrawWords } from "./connection-grammar.ts";
import type { Context } from "./context.ts";
import { interrupted } from "./exit.ts";
import { indexOf, namesOf } from "./interfaces.ts";
import { endpointLine, endpointObject, jsonList } from "./ip-format.ts";
import { withConnection } from "./single-connection.ts";

export async function runAnnounce(words: readonly string[], context: Context): Promise<void> {
  const { token, address, id, port, dev, listen } = readAnnounceWords(words);
  const what = `announce ${address} to connection ${tokenText(token)}`;
  const ifIndex = dev === undefined ? undefined : await indexOf(dev, what);
  await withConnection(token, context, async ({ connection, announcements, ended }) => {
    const wanted = { address, id, port, ifIndex, listen };
    const announced = await announcements.announce(connection, wanted);
    // As `endpoint show token TOKEN` lists it from now on.
    const device = (await namesOf([ifIndex ?? 0])).get(ifIndex ?? 0);
    const endpoint = { ...announced, flags: endpointFlags.of("signal"), ifIndex: ifIndex ?? 0 };
    context.write(
      context.json
        ? jsonList([endpointObject(endpoint, device)], context.pretty)
        : endpointLine(endpoint, device),
    );
    if (listen) await interrupted(ended);
  });
}

export async function runWithdraw(words: readonly string[], context: Context): Promise<void> {
  const { token, id } = readWithdrawWords(words);
  await withConnection(token, context, ({ connection, announcements }) =>
    announcements.withdraw(connection, { id }),
  );
}

export async function runListen(words: readonly string[], context: Context): Promise<void> {
  const { address, port: wanted } = readListenWords(words);
  const { port, close } = new Listeners().open(address, wanted);
  try {
    const listener = { address, port };
    context.write(
      context.json ? jsonList([listener], context.pretty) : `listening on ${placeText(listener)}\n`,
    );
    await interrupted();
  } finally {
    close();
  }
}
