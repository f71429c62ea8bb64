/**
 * A path manager that does nothing by itself: it says in the log what it is told, a line of JSON for each event, and
 * does what puppet.ts sends it: functions as text, with their arguments. Its file goes into a plugin directory as it
 * is.
 */
import { rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import {
  type Connection,
  definePathManager,
  type HandlerName,
  type Handlers,
  option,
  type PathManager,
} from "mptcpd";
import * as v from "valibot";

const events: readonly HandlerName[] = [
  ...([
    "newConnection",
    "connectionEstablished",
    "connectionClosed",
    "newAddress",
    "addressRemoved",
  ] as const),
  ...(["newSubflow", "subflowClosed", "subflowPriority", "listenerCreated", "listenerClosed"] as const),
  ...([
    "newInterface",
    "updateInterface",
    "deleteInterface",
    "newLocalAddress",
    "deleteLocalAddress",
  ] as const),
];

export default definePathManager({
  name: "puppet",
  options: v.object({ socket: v.string(), tell: v.optional(option.yesOrNo, "yes") }),
  needs: "userspace",
  setup(pm): Handlers {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket.on("error", () => undefined));
      createInterface({ input: socket }).on("line", async (line) => {
        const request: Request = JSON.parse(line);
        socket.write(`${JSON.stringify(await run(pm, request))}\n`);
      });
    });
    // One that was killed has left it.
    rmSync(pm.options.socket, { force: true });
    server.listen(pm.options.socket);
    pm.signal.addEventListener("abort", () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    if (!pm.options.tell) return {};
    const tell = (event: HandlerName, ...details: readonly unknown[]): void =>
      pm.log.notice(`told ${JSON.stringify({ event, details: details.map(short) })}`);
    return Object.fromEntries(
      events.map((event) => [event, (...details: unknown[]) => tell(event, ...details)]),
    );
  },
});

/**
 * A function, and what it is called with behind the path manager: a connection, if there is a token, and the argument.
 */
type Request = { readonly code: string; readonly token?: number; readonly argument: unknown };

async function run(pm: PathManager, { code, token, argument }: Request): Promise<object> {
  try {
    const connection = token === undefined ? [] : [pm.connections.get(token)];
    if (connection.includes(undefined)) throw new Error(`no connection has the token ${token}`);
    // Indirect: the text sees nothing but its parameters.
    const action: unknown = new Function(`return (${code})`)();
    if (typeof action !== "function") throw new TypeError(`${code} is no function`);
    return { result: (await action(pm, ...connection, argument)) ?? null };
  } catch (error) {
    if (!(error instanceof Error)) return { error: { message: String(error) } };
    return {
      error: { message: error.message, name: error.name, ...("code" in error && { code: error.code }) },
    };
  }
}

/** A log line has room for a thousand characters: of a connection its subflows are counted. */
function short(value: unknown): unknown {
  return isConnection(value) ? { ...value, subflows: value.subflows.length } : value;
}

function isConnection(value: unknown): value is Connection {
  return typeof value === "object" && value !== null && "announced" in value;
}
