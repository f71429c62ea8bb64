/** `mptcpctl monitor` */
import { messageOf } from "../../base/errors.ts";
import type { MptcpEvent } from "../../kernel/mptcp-pm.ts";
import { type Context, watchEvents, withPathManager } from "./context.ts";
import { readNoWords } from "./endpoint-grammar.ts";
import { eventLine, eventObject } from "./event-format.ts";
import { interrupted } from "./exit.ts";
import { Interfaces } from "./interfaces.ts";
import { jsonItem } from "./ip-format.ts";

/** Prints events, each at once, until a signal ends it. */
export async function runMonitor(words: readonly string[], context: Context): Promise<void> {
  readNoWords("monitor", words);
  const interfaces = Interfaces.open();
  try {
    await withPathManager(async (pm) => {
      // One after the other: finding out an interface's name must not let a later event overtake.
      let printed: Promise<void> = Promise.resolve();
      const failed = new Promise<never>((_, reject) => {
        watchEvents(pm, {
          event(event) {
            const time = new Date(performance.timeOrigin + performance.now());
            printed = printed.then(() => print(event, time, interfaces, context)).catch(reject);
          },
          overrun: () => context.warn("events were lost: they came faster than they could be read"),
          error: (error) => context.warn(messageOf(error)),
        });
        context.warn("listening for events of MPTCP; Ctrl-C ends it");
      });
      await Promise.race([interrupted(), failed]);
      await printed;
    });
  } finally {
    interfaces.close();
  }
}

async function print(event: MptcpEvent, time: Date, interfaces: Interfaces, context: Context): Promise<void> {
  const bound = "ifIndex" in event && event.ifIndex !== 0;
  const device = bound ? await interfaces.nameOf(event.ifIndex) : undefined;
  if (context.json) {
    // iproute2 prints one array, which a reader cannot parse before it ends; lines it can.
    const stamp = context.timestamp ? { timestamp_short: timestamp(time) } : {};
    context.write(jsonItem({ ...stamp, ...eventObject(event, device) }, context.pretty));
  } else {
    const stamp = context.timestamp ? `[${timestamp(time)}] ` : "";
    context.write(`${stamp}${eventLine(event, device)}\n`);
  }
}

/** Local time as `ip -tshort` has it, "2026-11-23T20:28:26.145000"; Date knows no microseconds. */
function timestamp(time: Date): string {
  const local = new Date(time.getTime() - time.getTimezoneOffset() * 60_000);
  return local.toISOString().replace("Z", "000");
}
