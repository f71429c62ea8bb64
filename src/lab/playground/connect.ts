import { once } from "node:events";
import { Socket } from "node:net";
import { complain, writeOutput } from "../../base/command-line/terminal.ts";
import { messageOf } from "../../base/errors.ts";
import { tokenText } from "../../control/connections/connection.ts";
import { mptcpConnect } from "../../kernel/native-sockets.ts";
import { Sockets } from "../../kernel/sockets.ts";
import { echoPort } from "./echo.ts";

/**
 * `connect [ADDRESS]`: an MPTCP connection to the echo server that stays open until a signal ends it. Says what it is in
 * one line, its token first, once something has gone both ways.
 */
export async function connect([address = "10.0.1.1", ...more]: readonly string[]): Promise<void> {
  if (more.length > 0 || address.startsWith("-")) return fail("usage: connect [ADDRESS]", 64);
  let socket: Socket;
  try {
    socket = new Socket({ fd: await mptcpConnect({ address, port: echoPort }) });
    socket.write("x");
    await once(socket, "data");
  } catch (error) {
    return fail(messageOf(error), 1);
  }
  const description = await describe(socket);
  let isTold = false;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => {
      isTold = true;
      socket.end();
    });
  // Whoever has read this may send a signal.
  writeOutput(`${description}\n`);
  let reason = "the server has closed the connection";
  socket.on("error", (error) => {
    reason = error.message;
  });
  socket.resume();
  await once(socket, "close");
  if (!isTold) fail(reason, 1);
}

/** "1a2b3c4d 10.0.1.2 port 40000 > 10.0.1.1 port 8080" */
async function describe({ localAddress, localPort, remoteAddress, remotePort }: Socket): Promise<string> {
  const sockets = Sockets.open();
  const found = (await sockets.dumpOutlines()).find(({ local }) => local.port === localPort);
  sockets.close();
  const ends = `${localAddress} port ${localPort} > ${remoteAddress} port ${remotePort}`;
  return found === undefined || found.fallback ? `plain TCP ${ends}` : `${tokenText(found.token)} ${ends}`;
}

function fail(message: string, status: number): void {
  complain("connect", message);
  process.exitCode = status;
}
