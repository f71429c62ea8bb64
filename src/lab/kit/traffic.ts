/**
 * Transfers over MPTCP from one host of the lab to another. Each end is a process of its own and tells what happens in
 * lines on stdout, which Traffic reads.
 */

import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { Server, Socket } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import { mptcpConnect, mptcpListen, type StreamProtocol } from "../../kernel/native-sockets.ts";
import { checkout } from "./checkout.ts";
import type { Host } from "./host.ts";
import type { LabProcess } from "./lab-process.ts";
import { waitFor, within } from "./wait.ts";

export type TrafficOptions = Omit<SendOptions, "port"> & {
  from: Host;
  to: Host;
  /** The command that runs an end, for programs that are bundled into one file. */
  program?: readonly [string, ...string[]];
};

/** What an end counted: equal at both ends if all bytes arrived, once and in order. */
export type Tally = { bytes: number; sha256: string };

const endProgram = [process.execPath, join(import.meta.dirname, "traffic-main.js")] as const;

export type TrafficResult = {
  sent: Tally;
  received: Tally;
  /** The longest time in which nothing arrived. */
  longestPauseMs: number;
};

/** A transfer over one MPTCP connection from one host to another, under way when this resolves. */
export async function startTraffic(options: TrafficOptions): Promise<Traffic> {
  const { from, to, program = endProgram, address, protocol, ...sending } = options;
  const common = { address, ...(protocol === undefined ? {} : { protocol }) };
  const [command, ...args] = program;
  const run = (host: Host, end: string, endOptions: object) =>
    host.spawn(command, [...args, end, JSON.stringify(endOptions)], { env: addonOfCheckout() });
  const receiver = run(to, "receive", { ...common, port: 0 });
  const port = Number((await receiver.waitForLine(/^listening on port (\d+)/))[1]);
  const sender = run(from, "send", { ...common, ...sending, port });
  await receiver.waitForLine(/^connection from/, { deadlineMs: 10_000 });
  return new Traffic(sender, receiver, port, options.bytes === undefined);
}

export class Traffic {
  readonly sender: LabProcess;
  readonly receiver: LabProcess;
  /** The port that the receiver listens on. */
  readonly port: number;
  readonly #endless: boolean;

  constructor(sender: LabProcess, receiver: LabProcess, port: number, endless: boolean) {
    this.sender = sender;
    this.receiver = receiver;
    this.port = port;
    this.#endless = endless;
  }

  /** How many bytes have arrived, as of the last 50 ms. */
  get bytesReceived(): number {
    for (let i = this.receiver.lines.length - 1; i >= 0; i--) {
      const bytes = this.receiver.lines[i]?.match(/^(?:progress|done) (\d+)/)?.[1];
      if (bytes !== undefined) return Number(bytes);
    }
    return 0;
  }

  /** Waits for that many bytes more: that the connection is alive. */
  async moves(bytes = 100_000, deadlineMs?: number): Promise<void> {
    const target = this.bytesReceived + bytes;
    await waitFor(`${bytes} bytes more to arrive`, () => this.bytesReceived, {
      until: (received) => received >= target,
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
    });
  }

  /** Waits for the end of the transfer, which it brings about if it has none; fails if the connection broke. */
  async finish(deadlineMs = 30_000): Promise<TrafficResult> {
    if (this.#endless) this.sender.signal("SIGTERM");
    const pattern = /^done (?<bytes>\d+) sha256 (?<sha256>\w+)(?: longest pause (?<pause>\d+) ms)?/;
    const sent = await this.sender.waitForLine(pattern, { deadlineMs });
    const received = await this.receiver.waitForLine(pattern, { deadlineMs });
    await within("both ends to end", Promise.all([this.sender.exited, this.receiver.exited]));
    const { pause } = received.groups ?? {};
    return { sent: tally(sent), received: tally(received), longestPauseMs: Number(pause) };
  }
}

function tally({ groups }: RegExpMatchArray): Tally {
  const { bytes, sha256 = "" } = groups ?? {};
  return { bytes: Number(bytes), sha256 };
}

/** Code compiled elsewhere does not find the addon by itself. */
export function addonOfCheckout(): Record<string, string> {
  const { MPTCPD_ADDON } = process.env;
  const addon = MPTCPD_ADDON ?? join(checkout, "dist/addon.node");
  return existsSync(addon) ? { MPTCPD_ADDON: addon } : {};
}

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

/** Runs one end, in a process of its own, as its command line says: `receive` or `send`, and the options as JSON. */
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
