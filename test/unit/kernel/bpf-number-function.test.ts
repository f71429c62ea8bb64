import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  describeFunction,
  maxPieces,
  type Outcome,
  type Piece,
} from "../../../src/kernel/bpf/number-function.ts";

const EINVAL = 22;
const smallest = -(2 ** 31);
const largest = 2 ** 31 - 1;

const functions: Readonly<Record<string, (input: number) => Outcome>> = {
  "a switch": (input) => ({ value: input === 0 ? 0 : 1 }),
  "a strict switch": (input) => (input === 0 || input === 1 ? { value: input } : { error: EINVAL }),
  "hops, of which -1 is the default": (input) => {
    if (input === -1) return { value: 64 };
    return input < 1 || input > 255 ? { error: EINVAL } : { value: input };
  },
  "a traffic class without the bits of ECN": (input) => {
    if (input === -1) return { value: 0 };
    return input < 0 || input > 255 ? { error: EINVAL } : { value: input & 0xfc };
  },
  "seconds up to two minutes": (input) => {
    if (input < 0) return { value: -1 };
    return { value: input === 0 ? 60 : Math.min(input, 120) };
  },
  "a window of some size at least": (input) => ({ value: input === 0 ? 0 : Math.max(input, 1152) }),
  "an option that takes nothing": () => ({ error: EINVAL }),
};

describe("what TCP makes of a number, in pieces", () => {
  for (const [name, outcome] of Object.entries(functions))
    it(`is exact: ${name}`, () => {
      const pieces = describeFunction(outcome);
      assert.ok(pieces.length <= maxPieces);
      const near = Array.from({ length: 3000 }, (_, index) => index - 1000);
      for (const input of [smallest, smallest + 1, -65_537, ...near, 65_537, largest - 1, largest])
        assert.deepEqual(applied(pieces, input), outcome(input), `${input}`);
    });

  it("ends with the largest number, in order, whatever the kernel does", () => {
    const outcomes = fc.array(fc.oneof(fc.record({ error: fc.nat(99) }), fc.record({ value: fc.nat(99) })), {
      minLength: 1,
      maxLength: 300,
    });
    fc.assert(
      fc.property(outcomes, (all) => {
        const pieces = describeFunction((input) => all[Math.abs(input) % all.length] ?? assert.fail());
        assert.ok(pieces.length <= maxPieces);
        const ends = pieces.map(({ upto }) => upto);
        assert.deepEqual(
          ends,
          [...new Set(ends)].sort((a, b) => a - b),
        );
        assert.equal(ends.at(-1), largest);
      }),
    );
  });

  it("keeps errors, and numbers as they were set, where reading gives too many different ones", () => {
    // Rounded up, as times are.
    const pieces = describeFunction((input) =>
      input < 1 || input > 200_000 ? { error: EINVAL } : { value: Math.ceil(input / 4000) * 4000 },
    );
    for (const [input, outcome] of [
      [0, { error: EINVAL }],
      [1, { value: 1 }],
      [5000, { value: 5000 }],
      [200_000, { value: 200_000 }],
      [200_001, { error: EINVAL }],
    ] as const)
      assert.deepEqual(applied(pieces, input), outcome);
  });

  it("takes all numbers where there are too many pieces of errors", () => {
    const pieces = describeFunction((input) => (input % 2 === 0 ? { value: input } : { error: EINVAL }));
    for (const input of [smallest, 1, 2, 3]) assert.deepEqual(applied(pieces, input), { value: input });
  });

  it("asks for no number twice, and for few", () => {
    const asked: number[] = [];
    describeFunction((input) => {
      asked.push(input);
      return { value: Math.max(input, 1000) };
    });
    assert.equal(new Set(asked).size, asked.length);
    assert.ok(asked.length < 200, `${asked.length}`);
  });
});

function applied(pieces: readonly Piece[], input: number): Outcome {
  const { error, mask, value } = pieces.find(({ upto }) => input <= upto) ?? assert.fail();
  return error === 0 ? { value: ((input & mask) + value) | 0 } : { error };
}
