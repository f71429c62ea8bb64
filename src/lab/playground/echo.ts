import { Server } from "node:net";
import { writeOutput } from "../../base/command-line/terminal.ts";
import { mptcpListen } from "../../kernel/native-sockets.ts";

export const echoPort = 8080;

/** Sends back whatever comes by MPTCP, or TCP, until it is killed. Writes a line when it listens. */
export async function echo(): Promise<void> {
  const { fd } = mptcpListen({ address: "::", port: echoPort, backlog: 1024 });
  const server = new Server((socket) => {
    socket.on("error", () => socket.destroy());
    socket.pipe(socket);
  });
  server.listen({ fd }, () => writeOutput("listening\n"));
}
