/**
 * The value that TCP gives an option for the number that it is set to, described by a few pieces: found by trying it,
 * and short enough for a BPF program to compute it.
 */

/** What TCP does with a number: an errno, or the number that is read afterwards. */
export type Outcome = { readonly error: number } | { readonly value: number };

/** Up to and with `upto`: the errno, or, if that is 0, `(number & mask) + value`. */
export type Piece = {
  readonly upto: number;
  readonly error: number;
  readonly mask: number;
  readonly value: number;
};

type Guess = Omit<Piece, "upto">;

export const maxPieces = 8;

const smallest = -(2 ** 31);
const largest = 2 ** 31 - 1;

/** Where options change their mind: about 0, at the ends of bytes and powers of two, and values that programs use. */
const samples = [
  smallest,
  -(2 ** 16),
  -256,
  ...Array.from({ length: 20 }, (_, index) => index - 3),
  ...[31, 32, 40, 63, 64, 65, 100, 127, 128, 129, 254, 255, 256, 257, 300, 511, 512, 1000, 1024, 1300],
  ...[1500, 4096, 5000, 10_000, 65_535, 65_536, 1_000_000, 2 ** 24],
  largest,
];

/** What the kernel keeps of the two lowest bits of a traffic class is its own (INET_ECN_MASK). */
const masks = [-1, ~3];

/**
 * Pieces in order, the last of them up to the largest number. Where `outcome` does not fit into so few, every number
 * that is taken counts as read as it was set, and if that does not fit either, as taken.
 */
export function describeFunction(outcome: (input: number) => Outcome): readonly Piece[] {
  const known = new Map<number, Outcome>();
  const remembered = (input: number) => {
    const result = known.get(input) ?? outcome(input);
    known.set(input, result);
    return result;
  };
  const asSet = (input: number) => {
    const result = remembered(input);
    return "error" in result ? result : { value: input };
  };
  return describe(remembered) ?? describe(asSet) ?? asItIs;
}

const unchanged: Guess = { error: 0, mask: -1, value: 0 };

/** Every number is taken, and read as it was set. */
export const asItIs: readonly Piece[] = [{ upto: largest, ...unchanged }];

/** Undefined if it takes too many pieces. */
function describe(outcome: (input: number) => Outcome): Piece[] | undefined {
  const pieces: Piece[] = [];
  let [last, guesses] = [smallest, guessesFor(smallest, outcome(smallest))];
  for (const sample of samples) {
    for (;;) {
      const fitting = guesses.filter((guess) => fits(guess, sample, outcome(sample)));
      if (fitting.length > 0) {
        [last, guesses] = [sample, fitting];
        break;
      }
      if (pieces.length === maxPieces - 1) return undefined;
      const end = endOf(guesses, last, sample, outcome);
      pieces.push({ upto: end.last, ...end.guess });
      [last, guesses] = [end.last + 1, guessesFor(end.last + 1, outcome(end.last + 1))];
    }
  }
  return [...pieces, { upto: largest, ...(guesses[0] ?? unchanged) }];
}

/** By bisection: the last number of a piece, between one that is of it and one that is not. */
function endOf(
  guesses: readonly Guess[],
  inside: number,
  outside: number,
  outcome: (input: number) => Outcome,
): { last: number; guess: Guess } {
  let [last, left, remaining] = [inside, outside, guesses];
  while (left - last > 1) {
    const middle = Math.floor((last + left) / 2);
    const fitting = remaining.filter((guess) => fits(guess, middle, outcome(middle)));
    if (fitting.length === 0) left = middle;
    else [last, remaining] = [middle, fitting];
  }
  return { last, guess: remaining[0] ?? unchanged };
}

function guessesFor(input: number, outcome: Outcome): Guess[] {
  if ("error" in outcome) return [{ error: outcome.error, mask: 0, value: 0 }];
  return [
    ...masks.map((mask) => ({ error: 0, mask, value: 0 })),
    { error: 0, mask: 0, value: outcome.value },
  ].filter((guess) => fits(guess, input, outcome));
}

function fits({ error, mask, value }: Guess, input: number, outcome: Outcome): boolean {
  if ("error" in outcome) return outcome.error === error;
  return error === 0 && outcome.value === (((input & mask) + value) | 0);
}
