import { setTimeout as delay } from "node:timers/promises";
import { inspect } from "node:util";

export type WaitOptions<Value> = {
  /** Which value ends the wait; without it, any but undefined, null and false. */
  until?: (value: Value) => boolean;
  deadlineMs?: number;
};

const { MPTCPD_TEST_SLOWNESS = "1" } = process.env;

/** How many times slower than others this machine is: tools/vm.mjs says it of its own. */
export const slowness = Number(MPTCPD_TEST_SLOWNESS);

/** How long a wait lasts that names no deadline: far longer than any of the awaited things takes on a busy machine. */
export const defaultDeadlineMs = 30_000 * slowness;

/**
 * Milliseconds between two reads of a state: a tenth of the wait so far, and at least as long as the last read took.
 * Most reads start a process. Without pauses, waits would take the processor from the program that they wait for.
 */
function pauseAfter(elapsed: number, readTook: number): number {
  return Math.max(10, Math.min(elapsed / 10, 250), readTook);
}

/** What a wait without `until` ends with. */
export type Something<Value> = Exclude<Value, undefined | null | false>;

/**
 * Reads a state until it is as wanted, and gives the value that was. A read that throws counts as "not yet".
 * Fails at the deadline with an error that shows the last value seen.
 */
export function waitFor<Value>(
  description: string,
  read: () => Value | Promise<Value>,
  options: Required<Pick<WaitOptions<Value>, "until">> & WaitOptions<Value>,
): Promise<Value>;
export function waitFor<Value>(
  description: string,
  read: () => Value | Promise<Value>,
  options?: { deadlineMs?: number },
): Promise<Something<Value>>;
export async function waitFor<Value>(
  description: string,
  read: () => Value | Promise<Value>,
  { until = isSomething, deadlineMs = defaultDeadlineMs }: WaitOptions<Value> = {},
): Promise<Value> {
  const start = performance.now();
  for (;;) {
    const readFrom = performance.now();
    const outcome = await attempt(read);
    if ("value" in outcome && until(outcome.value)) return outcome.value;
    const now = performance.now();
    const elapsed = now - start;
    if (elapsed >= deadlineMs) {
      const last = "value" in outcome ? inspect(outcome.value, { depth: 5 }) : inspect(outcome.error);
      throw new Error(`waited ${deadlineMs} ms for ${description}; last seen: ${last}`);
    }
    await delay(pauseAfter(elapsed, now - readFrom));
  }
}

/** Repeats assertions until they hold: `await eventually("both endpoints", async () => assert.deepEqual(…))`. */
export async function eventually(
  description: string,
  assertions: () => void | Promise<void>,
  options: { deadlineMs?: number } = {},
): Promise<void> {
  await waitFor(
    description,
    async () => {
      await assertions();
      return true;
    },
    options,
  );
}

/** Fails with `description` unless the promise settles before the deadline. */
export async function within<Value>(
  description: string,
  promise: Promise<Value>,
  deadlineMs = defaultDeadlineMs,
): Promise<Value> {
  const timer = new AbortController();
  const deadline = delay(deadlineMs, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`waited ${deadlineMs} ms for ${description}`);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    timer.abort();
    deadline.catch(() => {});
  }
}

function isSomething(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false;
}

async function attempt<Value>(
  read: () => Value | Promise<Value>,
): Promise<{ value: Value } | { error: unknown }> {
  try {
    return { value: await read() };
  } catch (error) {
    return { error };
  }
}
