/** Opens and closes as many MPTCP connections over loopback as its command line says, for a process of its own. */
import { once } from "node:events";
import { Server, Socket } from "node:net";
import { mptcpConnect, mptcpListen } from "../../src/kernel/native-sockets.ts";

const atATime = 50;
const address = "127.0.0.1";

const { fd, port } = mptcpListen({ address, port: 0 });
const server = new Server((socket) => socket.end()).listen({ fd });
for (let left = Number(process.argv[2]); left > 0; left -= atATime) {
  await Promise.all(Array.from({ length: Math.min(left, atATime) }, connectOnce));
}
server.close();

async function connectOnce(): Promise<void> {
  const socket = new Socket({ fd: await mptcpConnect({ address, port }) });
  socket.resume().end();
  await once(socket, "close");
}
