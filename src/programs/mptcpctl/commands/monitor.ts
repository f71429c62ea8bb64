/**
 * `mptcpctl monitor`: prints events as `ip mptcp monitor` of iproute2 7.1 does (ip/ipmptcp.c): a line each, or with
 * `-j` an object each.
 */
import { messageOf } from "../../../base/errors.ts";
import type { MptcpEvent } from "../../../kernel/mptcp-pm.ts";
import { ipFamily } from "../../../kernel/netlink/ip.ts";
import { Interfaces } from "../io/interfaces.ts";
import { type JsonObject, type JsonValue, jsonItem } from "../io/ip-format.ts";
import { watchEvents, withPathManager } from "../io/kernel-access.ts";
import { type CommandOutput, interrupted } from "../io/output.ts";
import { readNoWords } from "../io/word-grammar.ts";

/** Prints each event at once, until a signal ends the command. */
export async function runMonitor(words: readonly string[], output: CommandOutput): Promise<void> {
  readNoWords("monitor", words);
  const interfaces = Interfaces.open();
  try {
    await withPathManager(async (pm) => {
      // Print in order: while one event waits for the name of its interface, no later event may overtake it.
      let printed: Promise<void> = Promise.resolve();
      const failed = new Promise<never>((_, reject) => {
        watchEvents(pm, {
          event(event) {
            const time = new Date(performance.timeOrigin + performance.now());
            printed = printed.then(() => print(event, time, interfaces, output)).catch(reject);
          },
          overrun: () => output.warn("events were lost: they came faster than they could be read"),
          error: (error) => output.warn(messageOf(error)),
        });
        output.warn("listening for MPTCP events; Ctrl-C ends it");
      });
      await Promise.race([interrupted(), failed]);
      await printed;
    });
  } finally {
    interfaces.close();
  }
}

async function print(
  event: MptcpEvent,
  time: Date,
  interfaces: Interfaces,
  output: CommandOutput,
): Promise<void> {
  const bound = "ifIndex" in event && event.ifIndex !== 0;
  const device = bound ? await interfaces.nameOf(event.ifIndex) : undefined;
  if (output.json) {
    // iproute2 prints one array, which can be parsed only when it ends. Each of our lines can be parsed at once.
    const stamp = output.timestamp ? { timestamp_short: timestamp(time) } : {};
    output.write(jsonItem({ ...stamp, ...eventObject(event, device) }, output.pretty));
  } else {
    const stamp = output.timestamp ? `[${timestamp(time)}] ` : "";
    output.write(`${stamp}${eventLine(event, device)}\n`);
  }
}

/** Local time as `ip -tshort` prints it: "2026-11-23T20:28:26.145000". Date has no microseconds. */
function timestamp(time: Date): string {
  const local = new Date(time.getTime() - time.getTimezoneOffset() * 60_000);
  return local.toISOString().replace("Z", "000");
}

/**
 * A line without its newline. iproute2 6.1 differs: it prints `[UNKNOWN 15]` for listeners and `flags=2` for
 * server_side, has no `dev=`, and pads names to 14 characters.
 *
 * @param device the name of the event's interface, if it has one
 */
export function eventLine(event: MptcpEvent, device: string | undefined): string {
  if (event.event === "unknown") return `[${eventName(event)}]`;
  const words = fieldsOf(event, device).map(({ name, text }) =>
    text === undefined ? name : `${name}=${text}`,
  );
  return [`[${eventName(event).padStart(16)}]`, ...words].join(" ");
}

export function eventObject(event: MptcpEvent, device: string | undefined): JsonObject {
  const fields = fieldsOf(event, device).map(({ name, json }): [string, JsonValue] => [name, json]);
  return { event: eventName(event), ...Object.fromEntries(fields) };
}

const names = {
  created: "CREATED",
  established: "ESTABLISHED",
  closed: "CLOSED",
  announced: "ANNOUNCED",
  removed: "REMOVED",
  subflowEstablished: "SF_ESTABLISHED",
  subflowClosed: "SF_CLOSED",
  subflowPriority: "SF_PRIO",
  listenerCreated: "LISTENER_CREATED",
  listenerClosed: "LISTENER_CLOSED",
} as const;

function eventName(event: MptcpEvent): string {
  return event.event === "unknown" ? `UNKNOWN ${event.number}` : names[event.event];
}

/** A word of the line, either `name=text` or only `name`, and its value in the object. */
type Field = { readonly name: string; readonly text?: string; readonly json: JsonValue };

/** In iproute2's order. */
function fieldsOf(event: MptcpEvent, device: string | undefined): Field[] {
  switch (event.event) {
    case "created":
    case "established":
      return [
        token(event.token),
        // The event is about the initial subflow, and its addresses have the id 0 (RFC 8684, section 3.1).
        field("remid", 0),
        field("locid", 0),
        ...ends(event),
        ...(event.serverSide ? [word("server_side")] : []),
        ...(event.denyJoinId0 ? [word("deny_join_id0")] : []),
        ...(event.flags.unknown === 0 ? [] : [hexField("flags", event.flags.unknown)]),
      ];
    case "closed":
      return [token(event.token)];
    case "announced":
      return [token(event.token), field("remid", event.remoteId), ...ends(event)];
    case "removed":
      return [token(event.token), field("remid", event.remoteId)];
    case "subflowEstablished":
    case "subflowClosed":
    case "subflowPriority":
      return [
        token(event.token),
        field("remid", event.remoteId),
        field("locid", event.localId),
        ...ends(event),
        field("backup", Number(event.backup)),
        ...optional("error", event.error),
        ...optional("timeout", event.timeout),
        ...(event.ifIndex === 0 ? [] : [field("ifindex", event.ifIndex)]),
        ...(device === undefined ? [] : [{ name: "dev", text: device, json: device }]),
        ...optional("reset_reason", event.resetReason),
        ...(event.resetFlags === undefined ? [] : [hexField("reset_flags", event.resetFlags)]),
      ];
    case "listenerCreated":
    case "listenerClosed":
      return ends(event);
    case "unknown":
      return [];
  }
}

type Ends = {
  readonly localAddress?: string;
  readonly localPort?: number;
  readonly remoteAddress?: string;
  readonly remotePort?: number;
};

function ends({ localAddress, remoteAddress, localPort, remotePort }: Ends): Field[] {
  return [
    ...address("saddr", localAddress),
    ...address("daddr", remoteAddress),
    ...optional("sport", localPort),
    ...optional("dport", remotePort),
  ];
}

function address(name: string, value: string | undefined): Field[] {
  if (value === undefined) return [];
  return [{ name: `${name}${ipFamily(value)}`, text: value, json: value }];
}

function token(value: number): Field {
  return { name: "token", text: value.toString(16).padStart(8, "0"), json: hex(value) };
}

function field(name: string, value: number): Field {
  return { name, text: String(value), json: value };
}

function optional(name: string, value: number | undefined): Field[] {
  return value === undefined ? [] : [field(name, value)];
}

function hexField(name: string, value: number): Field {
  return { name, text: hex(value), json: hex(value) };
}

function word(name: string): Field {
  return { name, json: true };
}

/** printf's %#x */
function hex(value: number): string {
  return value === 0 ? "0" : `0x${value.toString(16)}`;
}
