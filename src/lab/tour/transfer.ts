import { setTimeout as delay } from "node:timers/promises";
import { runningClock } from "../../base/deadlines.ts";
import { startTraffic, type Traffic } from "../kit/traffic.ts";
import { now } from "./observer.ts";
import { bar, duration, pathRateMbit, type Stage } from "./stage.ts";

const size = 120_000_000;
/** How much has arrived when the path is cut. */
const cutAt = 0.4 * size;
const patienceMs = 40_000;
const tickMs = 100;
const plainLineEveryMs = 1000;
const barWidth = 30;

const paths = [
  { device: "eth1", address: "10.0.1.2" },
  { device: "eth2", address: "10.0.2.2" },
] as const;

type Sample = { at: number; received: number; byPath: readonly number[] };

/** Sends over one connection that starts on path 1, cuts that path on the way, and checks what arrived. */
export async function transferOverTwoPaths(stage: Stage, cutting: (text: string) => number): Promise<void> {
  const { screen, client, server, program } = stage;
  screen.say(`   ${screen.cyan("$")} send ${megabytes(size)} from 10.0.1.2 to 10.0.1.1, over MPTCP`);
  const start = now();
  const traffic = await startTraffic({ from: client, to: server, address: "10.0.1.1", bytes: size, program });
  const samples = await follow(stage, traffic, cutting);
  const { sent, received, longestPauseMs } = await traffic.finish();
  const took = now() - start;
  if (received.sha256 !== sent.sha256 || received.bytes !== size) {
    throw new Error(`the transfer came out damaged: ${JSON.stringify({ sent, received })}`);
  }
  const unused = paths.find((_, i) => (samples.at(-1)?.byPath[i] ?? 0) < size / 20);
  if (unused) throw new Error(`the connection did not use ${unused.device}`);
  screen.say(
    `   ${screen.green("✔")} ${megabytes(received.bytes)} arrived whole in ${duration(took)}: sha256 ${received.sha256.slice(0, 16)}… at both ends`,
    ...paths.map(({ device }, i) => `     ${device} carried ${megabytes(samples.at(-1)?.byPath[i] ?? 0)}`),
    screen.dim(
      `     The longest pause at the receiver was ${duration(longestPauseMs)}. Plain TCP would have stopped with its path.`,
    ),
  );
}

/** Shows the transfer until all has arrived; the samples are the whole story. */
async function follow(stage: Stage, traffic: Traffic, cutting: (text: string) => number): Promise<Sample[]> {
  const samples = [sample(stage, traffic)];
  let isCut = false;
  let told = now();
  let isLate = false;
  const deadline = runningClock.schedule(patienceMs, () => {
    isLate = true;
  });
  while ((samples.at(-1)?.received ?? 0) < size) {
    if (isLate) throw new Error(`the transfer stalled:\n${traffic.receiver.output.slice(-200)}`);
    await delay(tickMs);
    samples.push(sample(stage, traffic));
    stage.screen.show(...picture(stage, samples));
    if (!stage.screen.isLive && now() - told >= plainLineEveryMs) {
      told += plainLineEveryMs;
      stage.screen.say(plainLine(samples));
    }
    if (!isCut && traffic.bytesReceived >= cutAt) {
      isCut = true;
      cutting("the cable of eth1, on which the connection began, is pulled");
      await stage.paths[0].cut();
    }
  }
  deadline.cancel();
  return samples;
}

function sample({ observer }: Stage, traffic: Traffic): Sample {
  const acked = observer.latest?.acked ?? {};
  return {
    at: now(),
    received: traffic.bytesReceived,
    byPath: paths.map(({ address }) => acked[address] ?? 0),
  };
}

function picture({ screen, observer }: Stage, samples: readonly Sample[]): string[] {
  const last = samples.at(-1);
  const rates = pathRates(samples, 5);
  return [
    "",
    ...paths.map(({ device }, i) => {
      const rate = rates[i] ?? 0;
      const text = `${rate.toFixed(0).padStart(4)} Mbit/s ${megabytes(last?.byPath[i] ?? 0).padStart(7)}`;
      return `     ${device} ${screen.cyan(bar(rate / pathRateMbit, barWidth))} ${text}`;
    }),
    `     ${"all".padEnd(4)} ${screen.green(bar((last?.received ?? 0) / size, barWidth))} ${megabytes(last?.received ?? 0)} of ${megabytes(size)}, ${observer.latest?.subflows ?? 0} subflows`,
  ];
}

function plainLine(samples: readonly Sample[]): string {
  const rates = pathRates(samples, 10);
  const byPath = paths.map(({ device }, i) => `${device} ${(rates[i] ?? 0).toFixed(0).padStart(3)} Mbit/s`);
  return `     ${byPath.join("   ")}   ${megabytes(samples.at(-1)?.received ?? 0)} arrived`;
}

/** Mbit/s of each path over the last so many samples. */
function pathRates(samples: readonly Sample[], count: number): number[] {
  const last = samples.at(-1);
  const first = samples.at(-1 - Math.min(count, samples.length - 1));
  if (!last || !first || last === first) return paths.map(() => 0);
  return last.byPath.map((bytes, i) => ((bytes - (first.byPath[i] ?? 0)) * 8) / (last.at - first.at) / 1000);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
