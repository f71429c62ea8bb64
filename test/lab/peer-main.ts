/**
 * A process of a host that holds MPTCP sockets and looks at the kernel there; peer.ts tells it what to do. A line of
 * its input is a request `[number, method, argument]`, a line of its output the answer to one.
 */
import { once } from "node:events";
import { Server, Socket } from "node:net";
import { createInterface } from "node:readline";
import { endpointFlags, MptcpPm } from "../../src/kernel/mptcp-pm.ts";
import { mptcpConnect, mptcpListen } from "../../src/kernel/native-sockets.ts";
import { unmapped } from "../../src/kernel/netlink/ip.ts";
import { type ConnectionOutline, Sockets } from "../../src/kernel/sockets.ts";
import type {
  ConnectRequest,
  JoinRequest,
  KernelConnection,
  LeaveRequest,
  ListenRequest,
  OpenSocket,
} from "./peer.ts";

/** Connections that are opened at a time. */
const AT_A_TIME = 50;

const sockets = Sockets.open();
const pm = await MptcpPm.open();
const open = new Map<number, Socket>();
let accepted = new Set<Socket>();
const servers = new Map<number, Server>();
const usedPorts = new Set<number | undefined>();
let last = 0;

const methods: Readonly<Record<string, (argument: never) => unknown>> = {
  listen,
  connect,
  /** Sends a word and waits until it comes back. */
  echo: (handle: number) => echo(socketOf(handle)),
  /** Says that no more will be sent. */
  end: (handle: number) => void socketOf(handle).end(),
  close: (handle: number) => void socketOf(handle).destroy(),
  closeAll: () => {
    for (const socket of [...open.values(), ...accepted]) socket.destroy();
  },
  stopListening: (port: number) => void servers.get(port)?.close(),
  accepted: () => accepted.size,
  connections: async (): Promise<KernelConnection[]> => (await sockets.dumpOutlines()).map(plain),
  /** Joins by itself, as a path manager would, where the userspace one is selected. */
  join: ({ token, from, to, port, id, backup = false }: JoinRequest) =>
    pm.createSubflow({
      ...{ token, local: { address: from, id }, remote: { address: to, port } },
      ...(backup && { flags: endpointFlags.of("backup") }),
    }),
  leave: (ends: LeaveRequest) => pm.destroySubflow(ends),
  /** The kernel's list of the addresses of a connection of the userspace path manager. */
  ids: async (token: number) =>
    (await pm.dumpEndpoints(token)).map(({ id, address, port }) => ({
      id,
      address: unmapped(address),
      port,
    })),
};

for await (const line of createInterface({ input: process.stdin })) void answer(line);
process.exit();

async function answer(line: string): Promise<void> {
  const [number, method, argument]: [number, string, never] = JSON.parse(line);
  try {
    const result = (await methods[method]?.(argument)) ?? null;
    console.log(JSON.stringify([number, { result }]));
  } catch (error) {
    console.log(JSON.stringify([number, { error: error instanceof Error ? error.message : String(error) }]));
  }
}

/** Takes connections, and sends back what comes by them. */
async function listen({ address, port, halfOpen = false }: ListenRequest): Promise<number> {
  const { fd, port: chosen } = mptcpListen({ address, port, backlog: 1024 });
  const server = new Server({ allowHalfOpen: halfOpen }, (socket) => {
    accepted = accepted.add(socket);
    socket.on("error", () => undefined).on("close", () => accepted.delete(socket));
    socket.on("data", (data) => socket.write(data));
  });
  servers.set(chosen, server.listen({ fd }));
  await once(server, "listening");
  return chosen;
}

/** Opens connections, some at a time; each has sent and received something when this returns. */
async function connect({ count = 1, ...request }: ConnectRequest): Promise<OpenSocket[]> {
  const made: Socket[] = [];
  for (let left = count; left > 0; left -= AT_A_TIME)
    made.push(...(await Promise.all(repeat(Math.min(left, AT_A_TIME), () => connectOne(request)))));
  const tokens = new Map((await sockets.dumpOutlines()).map(({ token, local }) => [local.port, token]));
  return made.map((socket) => {
    open.set(++last, socket);
    const { localPort = 0 } = socket;
    return { handle: last, port: localPort, token: tokens.get(localPort) ?? 0 };
  });
}

/**
 * From a port that no connection has had: tests tell connections by it. The kernel minds only those to the same server.
 */
async function connectOne(request: Omit<ConnectRequest, "count">): Promise<Socket> {
  const socket = new Socket({ fd: await mptcpConnect(request), allowHalfOpen: true });
  socket.on("error", () => undefined).resume();
  await echo(socket);
  if (usedPorts.has(socket.localPort)) {
    socket.destroy();
    return await connectOne(request);
  }
  usedPorts.add(socket.localPort);
  return socket;
}

async function echo(socket: Socket): Promise<void> {
  const back = once(socket, "data");
  socket.write("x");
  await back;
}

function socketOf(handle: number): Socket {
  const socket = open.get(handle);
  if (socket === undefined) throw new Error(`there is no socket ${handle}`);
  return socket;
}

function plain({ token, local, remote, state, fallback, subflows }: ConnectionOutline): KernelConnection {
  const seen = subflows.map((subflow) => ({
    ...{ local: subflow.local, remote: subflow.remote, state: subflow.state },
    ...{ localId: subflow.localId, remoteId: subflow.remoteId },
    ...{ ifIndex: subflow.ifIndex, flags: subflow.flags.names },
  }));
  return { token, local, remote, state, fallback, subflows: seen };
}

function repeat<T>(length: number, make: () => T): T[] {
  return Array.from({ length }, make);
}
