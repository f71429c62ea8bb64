import { existsSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "./checkout.ts";
import type { Host } from "./host.ts";
import type { LabProcess } from "./process.ts";
import type { SendOptions } from "./traffic-ends.ts";
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
