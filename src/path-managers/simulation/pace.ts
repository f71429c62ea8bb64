import { setTimeout as delay } from "node:timers/promises";
import type { VirtualClock } from "./clock.ts";

/** Milliseconds. */
const STEP = 20;

/**
 * Lets virtual time pass as fast as real time until a promise settles. Code that is about to begin may wait for either: for
 * its timers, and for a file that it reads.
 */
export async function passTimeUntil<T>(clock: VirtualClock, promise: Promise<T>): Promise<T> {
  let isSettled = false;
  const settled = promise.finally(() => {
    isSettled = true;
  });
  await clock.advance(0);
  while (!isSettled) {
    await Promise.race([settled, delay(STEP)]);
    if (!isSettled) await clock.advance(STEP);
  }
  return await settled;
}
