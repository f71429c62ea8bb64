import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import fc from "fast-check";
import * as pmAndOthers from "../../../../src/kernel/messages/codecs.ts";
import * as mptcpPm from "../../../../src/kernel/messages/mptcp-pm.ts";
import * as rtnetlink from "../../../../src/kernel/messages/rtnetlink.ts";
import * as sockDiag from "../../../../src/kernel/messages/sock-diag.ts";
import type { Schema } from "../../../../src/kernel/netlink/codec.ts";
import * as ofNetlink from "../../../../src/kernel/netlink/codecs.ts";
import { NetlinkError } from "../../../../src/kernel/netlink/errors.ts";
import type { Decoder, Encoder } from "../../../../src/kernel/netlink/message-codec.ts";
import * as netlink from "../../../../src/kernel/netlink/messages.ts";
import { Input, Output } from "../../../../src/kernel/netlink/wire.ts";
import { checkout } from "../../../../src/lab/kit/checkout.ts";
import { almost, arbitrary, unfit } from "./arbitrary.ts";
import { captures } from "./captures.ts";

type AnySchema = Schema<unknown, unknown>;

const codecs: Readonly<Record<string, unknown>> = { ...ofNetlink, ...pmAndOthers };
const modules = [netlink, rtnetlink, mptcpPm, sockDiag];
const received = modules.flatMap((module): [string, AnySchema][] => Object.entries(module.received));
const sent = modules.flatMap((module): [string, AnySchema][] => Object.entries(module.sent));

describe("the codecs that are made of the schemas", () => {
  it("are made of them: `node tools/codecs.mjs` makes them so", () => {
    const script = `
      import { readFileSync } from "node:fs";
      import { makeCodecs } from "${checkout}/tools/codecs.mjs";
      for (const { file, text } of await makeCodecs())
        if (readFileSync(file, "utf8") !== text) console.log(file);`;
    const stale = execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
      encoding: "utf8",
    });
    assert.equal(stale, "");
  });

  it("are there for every message that is exchanged, and for no other", () => {
    assert.deepEqual(
      Object.keys(codecs).sort(),
      [...new Set([...received, ...sent].map(([name]) => name))].sort(),
    );
  });
});

describe("a codec that reads gives what the schema's own reader gives: a value or an error", () => {
  for (const [name, schema] of received) {
    const codec = codecs[name];
    assert.ok(isDecoder(codec));
    const agree = (bytes: Uint8Array): void => {
      // Between other bytes: whatever is read beyond the end would differ.
      const around = new Uint8Array(bytes.length + 64).fill(0xa5);
      around.set(bytes, 32);
      const [first, second] = [payload(bytes, 0, bytes.length), payload(around, 32, 32 + bytes.length)];
      assert.deepEqual(
        outcome(() => codec.decode(first)),
        outcome(() => schema.decode(first)),
      );
      assert.deepEqual(
        outcome(() => codec.decode(second)),
        outcome(() => schema.decode(second)),
      );
    };

    it(`${name}: of what was written`, () => {
      fc.assert(
        fc.property(arbitrary(schema), (value) => agree(schema.encode(value))),
        { numRuns: 200 },
      );
    });

    it(`${name}: of random bytes, and of messages with faults`, () => {
      fc.assert(
        fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), almost(schema), almost(schema)), agree),
        { numRuns: 1000 },
      );
    });

    it(`${name}: of messages that a kernel sent, whole, cut short, and with a bit turned`, () => {
      for (const bytes of captures(name)) {
        for (let length = bytes.length; length >= 0; length--) agree(bytes.subarray(0, length));
        for (let bit = 0; bit < 8 * bytes.length; bit += 3) agree(turned(bytes, bit));
      }
    });
  }
});

describe("a codec that writes gives what the schema's own writer gives: bytes or an error", () => {
  for (const [name, schema] of sent) {
    const codec = codecs[name];
    assert.ok(isEncoder(codec));
    const agree = (value: unknown): void => {
      assert.deepEqual(
        outcome(() => written(codec, value)),
        outcome(() => written(schema, value)),
      );
    };

    it(`${name}: of values`, () => {
      fc.assert(fc.property(arbitrary(schema), agree), { numRuns: 500 });
    });

    it(`${name}: of values that do not fit`, () => {
      fc.assert(fc.property(unfit(schema), agree), { numRuns: 500 });
    });

    it(`${name}: has the names of the schema`, () => {
      assert.deepEqual(codec.names, schema.names);
    });
  }
});

function isDecoder(value: unknown): value is Decoder<unknown> {
  return typeof value === "object" && value !== null && "decode" in value;
}

function isEncoder(value: unknown): value is Encoder<unknown> {
  return typeof value === "object" && value !== null && "write" in value;
}

function payload(bytes: Uint8Array, start: number, end: number) {
  return { input: new Input(bytes), start, end };
}

function turned(bytes: Uint8Array, bit: number): Uint8Array {
  return bytes.map((byte, index) => (index === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
}

/** After other bytes, as a message's payload is after its header. */
function written(encoder: Encoder<unknown>, value: unknown): Uint8Array {
  const output = new Output();
  output.append(new Uint8Array(16).fill(0xff));
  encoder.write(output, value);
  output.align();
  return output.take();
}

function outcome(act: () => unknown): unknown {
  try {
    return { value: act() };
  } catch (error) {
    assert.ok(error instanceof NetlinkError, String(error));
    return { ...error, name: error.name, message: error.message };
  }
}
