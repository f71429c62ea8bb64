/** `mptcpctl limits …` */
import { type Context, withPathManager } from "./context.ts";
import { limitsLine, limitsObject } from "./format.ts";
import { readLimitsWords } from "./grammar.ts";
import { jsonList } from "./json.ts";

export async function runLimits(
  command: "set" | "show",
  words: readonly string[],
  context: Context,
): Promise<void> {
  const request = readLimitsWords(command, words);
  await withPathManager(async (pm) => {
    const limits = await pm.getLimits();
    if (command === "set") await pm.setLimits({ ...limits, ...request });
    else context.write(context.json ? jsonList([limitsObject(limits)], context.pretty) : limitsLine(limits));
  });
}
