/** Milliseconds before the second attempt. */
const FIRST = 100;
/** Milliseconds; the longest wait between two attempts. */
const LONGEST_WAIT = 30_000;

/** Milliseconds to wait after so many failed attempts: 100, 200, 400 … and never more than 30 s. */
export function waitAfter(attempts: number): number {
  return Math.min(FIRST * 2 ** (attempts - 1), LONGEST_WAIT);
}
