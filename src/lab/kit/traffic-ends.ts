/**
 * The two ends of a transfer over MPTCP, each for a process of its own: they tell what happens in lines on stdout,
 * which traffic.ts reads.
 */
import { createHash, randomBytes } from "node:crypto";
import { Server, Socket } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import { mptcpConnect, mptcpListen, type StreamProtocol } from "../../kernel/native-sockets.ts";

export type ReceiveOptions = { address: string; port: number; protocol?: StreamProtocol };
export type SendOptions = ReceiveOptions & {
  localAddress?: string;
  /** How much to send; without it until SIGTERM. */
  bytes?: number;
  /** Bytes a second; without it as fast as the paths are. */
  rate?: number;
};

const chunkSize = 64 * 1024;
const progressIntervalMs = 50;

/** Runs one end as its command line says: `receive` or `send`, and the options as JSON. */
export async function runTrafficEnd([end, options = "{}"]: readonly string[]): Promise<void> {
  if (end === "receive") receive(JSON.parse(options));
  else if (end === "send") await send(JSON.parse(options));
  else throw new Error(`receive or send, not ${end}`);
}

/** Takes one connection, and ends after it. */
function receive(options: ReceiveOptions): void {
  const { fd, port } = mptcpListen(options);
  const server = new Server();
  server.on("connection", (socket) => {
    const hash = createHash("sha256");
    let bytes = 0;
    let lastData = performance.now();
    let longestPause = 0;
    const progress = setInterval(() => console.log(`progress ${bytes}`), progressIntervalMs);
    console.log(`connection from ${socket.remoteAddress} port ${socket.remotePort}`);
    socket.on("data", (data: Buffer) => {
      hash.update(data);
      bytes += data.length;
      longestPause = Math.max(longestPause, performance.now() - lastData);
      lastData = performance.now();
    });
    socket.on("error", (error) => console.log(`broken after ${bytes}: ${error.message}`));
    socket.on("end", () => {
      console.log(`done ${bytes} sha256 ${hash.digest("hex")} longest pause ${longestPause.toFixed(0)} ms`);
    });
    socket.on("close", () => {
      clearInterval(progress);
      // Not before: further subflows join by a SYN to the listener.
      server.close();
    });
  });
  server.listen({ fd }, () => console.log(`listening on port ${port}`));
}

async function send(options: SendOptions): Promise<void> {
  // Before the other end knows of the connection: whoever hears of it there may end this one.
  const stop = new AbortController();
  process.once("SIGTERM", () => stop.abort());
  const socket = new Socket({ fd: await mptcpConnect(options) });
  console.log(`connected from ${socket.localAddress} port ${socket.localPort}`);
  const hash = createHash("sha256");
  let bytes = 0;
  const hashed = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of payload(options, stop.signal)) {
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  };
  // Small read-ahead: what is not on its way when SIGTERM comes is not sent.
  await pipeline(Readable.from(hashed(), { highWaterMark: 1 }), socket);
  console.log(`done ${bytes} sha256 ${hash.digest("hex")}`);
}

/** Random bytes with their position in them, so that any loss, repetition or disorder shows in the digest. */
async function* payload({ bytes = Infinity, rate = Infinity }: SendOptions, stop: AbortSignal) {
  const noise = randomBytes(chunkSize);
  const start = performance.now();
  for (let sent = 0; sent < bytes && !stop.aborted; ) {
    const chunk = Buffer.from(noise.subarray(0, Math.min(chunkSize, bytes - sent)));
    if (chunk.length >= 8) chunk.writeDoubleBE(sent);
    sent += chunk.length;
    yield chunk;
    const early = start + (sent / rate) * 1000 - performance.now();
    if (early > 0) await delay(early, undefined, { signal: stop }).catch(() => {});
  }
}
