import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { NetlinkProtocolError } from "../../../../src/kernel/netlink/errors.ts";
import { Output } from "../../../../src/kernel/netlink/wire.ts";
import { frame, messages } from "../../../lab/datagram.ts";

const header = fc.record(
  { type: fc.nat(0xffff), flags: fc.nat(0xffff), sequence: fc.nat(0xffffffff), portId: fc.nat(0xffffffff) },
  { noNullPrototype: true },
);

describe("an output that is used again", () => {
  it("has zeros where nothing was written", () => {
    const output = new Output();
    output.append(new Uint8Array(1000).fill(0xff));
    output.startMessage();
    output.append(Uint8Array.of(1));
    output.align();
    output.reserve(4);
    assert.deepEqual(output.take().subarray(16), Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0));
  });
});

describe("framing", () => {
  it("gives back every message of a datagram", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(header, fc.uint8Array({ maxLength: 50 }))), (sent) => {
        const datagram = Buffer.concat(sent.map(([header, payload]) => frame(header, payload)));
        const received = [...messages(datagram)].map(
          ({ input, start, end, type, flags, sequence, portId }) => [
            { type, flags, sequence, portId },
            new Uint8Array(input.buffer.subarray(start, end)),
          ],
        );
        assert.deepEqual(received, sent);
      }),
    );
  });

  it("ends at any bytes, with messages inside them or a NetlinkProtocolError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          for (const { start, end } of messages(bytes))
            assert.ok(start >= 16 && start <= end && end <= bytes.length);
        } catch (error) {
          assert.ok(error instanceof NetlinkProtocolError, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("says where a length lies", () => {
    const datagram = frame({ type: 16, flags: 0, sequence: 1, portId: 1 }, new Uint8Array(4));
    datagram[0] = 99;
    assert.throws(() => [...messages(datagram)], { code: "EBADMSG", offset: 0, length: 99 });
    assert.throws(() => [...messages(datagram.subarray(0, 15))], { code: "EBADMSG", offset: 0, length: 15 });
    datagram[0] = 15;
    assert.throws(() => [...messages(datagram)], { offset: 0, length: 15 });
  });
});
