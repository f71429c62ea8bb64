/** `mptcpctl subflow …`: subflows of connections under a userspace path manager. */
import { tokenText } from "../../control/connections/connection.ts";
import { findSubflow } from "../../control/connections/connection-record.ts";
import { endpointFlags } from "../../kernel/mptcp-pm.ts";
import { subflowLine, subflowObject } from "./connection-format.ts";
import type { Context } from "./context.ts";
import { UsageError } from "./exit.ts";
import { indexOf, namesOf } from "./interfaces.ts";
import { jsonList } from "./ip-format.ts";
import { withConnection } from "./single-connection.ts";
import { readChangeWords, readCreateWords, readDestroyWords } from "./subflow-grammar.ts";

export type SubflowCommand = "create" | "destroy" | "change";

export type CreateOptions = {
  /** Seconds that the peer has to answer. */
  readonly deadline?: string;
  /** False: not to wait for the peer at all. */
  readonly wait?: boolean;
};

export function runSubflow(
  command: SubflowCommand,
  words: readonly string[],
  options: CreateOptions,
  context: Context,
): Promise<void> {
  if (command === "create") return create(words, options, context);
  return command === "destroy" ? destroy(words, context) : change(words, context);
}

async function create(words: readonly string[], options: CreateOptions, context: Context): Promise<void> {
  const { token, address, id, dev, to, backup } = readCreateWords(words);
  const deadline = deadlineOf(options);
  const what = `create subflow ${address} to ${to.address} of connection ${tokenText(token)}`;
  const ifIndex = dev === undefined ? undefined : await indexOf(dev, what);
  await withConnection(token, context, async ({ connection, subflows }) => {
    const wanted = { from: { address, ifIndex }, id, to, backup, deadline };
    const { wait = true } = options;
    const subflow = await (wait ? subflows.create(connection, wanted) : subflows.begin(connection, wanted));
    const device = (await namesOf([subflow.ifIndex])).get(subflow.ifIndex);
    context.write(
      context.json
        ? jsonList([subflowObject(token, subflow, device)], context.pretty)
        : subflowLine(token, subflow, device),
    );
  });
}

async function destroy(words: readonly string[], context: Context): Promise<void> {
  const ends = readDestroyWords(words);
  await withConnection(ends.token, context, async ({ pm, connection, subflows }) => {
    const subflow = findSubflow(connection.subflows, ends.local, ends.remote);
    // What is not there the kernel refuses, in its own words.
    await (subflow === undefined ? pm.destroySubflow(ends) : subflows.destroy(connection, subflow));
  });
}

async function change(words: readonly string[], context: Context): Promise<void> {
  const { backup, ...ends } = readChangeWords(words);
  await withConnection(ends.token, context, async ({ pm, connection, subflows }) => {
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
    `subflow create: "${deadline}" is no deadline; it is a number of seconds, at most 86400`,
  );
}
