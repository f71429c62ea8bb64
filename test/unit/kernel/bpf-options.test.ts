import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { asItIs, describeFunction } from "../../../src/kernel/bpf/number-function.ts";
import type { OptionAnswer } from "../../../src/kernel/bpf/option-answers.ts";
import { getProgram, setProgram } from "../../../src/kernel/bpf/option-programs.ts";
import { encodeRows, maxSlots, slotSize } from "../../../src/kernel/bpf/option-rows.ts";
import { execute, type Region } from "./bpf-machine.ts";

const maps = { rows: 5, storage: 6 };
const MPTCP = 262;
const TCP = 6;
const EINVAL = 22;
const ENOPROTOOPT = 92;
const EOPNOTSUPP = 95;

const plain = { family: 2, byteRead: false, exceptEnds: false, empty: "error", short: "error" } as const;

const ttl: OptionAnswer = {
  ...{ ...plain, level: 0, option: 2, name: "IP_TTL", set: "hint", exceptEnds: true, initial: 64 },
  ...{ byteRead: true, short: "byte" },
  pieces: describeFunction((value) => {
    if (value === -1) return { value: 64 };
    return value < 1 || value > 255 ? { error: EINVAL } : { value };
  }),
};
const onOff: OptionAnswer = {
  ...{ ...plain, level: 0, option: 12, name: "IP_RECVTTL", set: "hint", initial: 0, empty: "zero" },
  pieces: describeFunction((value) => ({ value: value === 0 ? 0 : 1 })),
};
const signedOption: OptionAnswer = {
  ...{ ...plain, level: 6, option: 8, name: "TCP_LINGER2", set: "hint", initial: -1, short: "zero" },
  pieces: asItIs,
};
const timeout: OptionAnswer = {
  ...{ ...plain, level: 6, option: 18, name: "TCP_USER_TIMEOUT", set: "in force", initial: 0 },
  ...{ empty: "kernel", short: "kernel", pieces: asItIs },
};
const readOnly: OptionAnswer = {
  ...{ ...plain, level: 0, option: 3, name: "IP_HDRINCL", set: "kernel", initial: 0, pieces: [] },
};
const answers = [ttl, onOff, signedOption, timeout, readOnly];
type Option = Pick<OptionAnswer, "level" | "option">;

/** The machine code is run here: what the kernel makes of it, test/kernel/bpf-options.test.ts sees. */
describe("the BPF program before setsockopt(2)", () => {
  it("takes a hint in place of the kernel, and remembers it as TCP would read it", () => {
    const socket = new Socket();
    assert.equal(socket.set(ttl, number(60)), "taken");
    assert.equal(socket.set(onOff, number(17)), "taken");
    assert.deepEqual([socket.get(ttl), socket.get(onOff)], [number(60), number(1)]);
    assert.equal(socket.set(ttl, number(-1)), "taken");
    assert.deepEqual(socket.get(ttl), number(64));
  });

  it("refuses what TCP refuses", () => {
    const socket = new Socket();
    for (const value of [0, 256, -2, 2 ** 31 - 1]) assert.equal(socket.set(ttl, number(value)), -EINVAL);
    assert.equal(socket.set(ttl, Buffer.alloc(0)), -EINVAL);
    assert.deepEqual(socket.get(ttl), number(64));
  });

  it("reads values that are shorter or longer than a number as TCP does", () => {
    const socket = new Socket();
    for (const [value, read] of [
      [Buffer.from([7]), 7],
      [Buffer.from([8, 1, 1]), 8],
      [Buffer.concat([number(9), number(1)]), 9],
    ] as const) {
      assert.equal(socket.set(ttl, value), "taken");
      assert.deepEqual(socket.get(ttl), number(read));
    }
    assert.equal(socket.set(signedOption, Buffer.from([5])), "taken");
    assert.deepEqual(socket.get(signedOption), number(0));
    socket.set(onOff, number(1));
    assert.equal(socket.set(onOff, Buffer.alloc(0)), "taken");
    assert.deepEqual(socket.get(onOff), number(0));
  });

  it("takes values that mean something only if they are in force", () => {
    const socket = new Socket();
    for (const value of [1, 255]) assert.equal(socket.set(ttl, number(value)), "left");
    assert.equal(socket.set(timeout, number(5000)), "left");
    assert.equal(socket.set(timeout, number(0)), "taken");
    for (const length of [0, 1, 8]) assert.equal(socket.set(timeout, Buffer.alloc(length)), "left");
    assert.equal(new Socket({ remembered: [[ttl, 255]] }).set(ttl, number(255)), "taken");
  });

  it("leaves sockets of other protocols to the kernel, other options, and other families", () => {
    assert.equal(new Socket({ protocol: TCP }).set(ttl, number(60)), "left");
    assert.equal(new Socket({ family: 10 }).set(ttl, number(60)), "left");
    assert.equal(new Socket().set({ level: 0, option: 1 }, number(60)), "left");
    assert.equal(new Socket().set({ level: 6, option: 2 }, number(60)), "left");
    assert.equal(new Socket().set(readOnly, number(0)), "left");
  });

  it("gives way to a program that has answered, as one of a cgroup below", () => {
    assert.deepEqual(new Socket().run(setProgram(maps), ttl, { length: -1 }), { result: 1, length: -1 });
  });

  it("gives the kernel the caller's own value, where there is more than the kernel has copied", () => {
    const page = Buffer.alloc(4096);
    for (const protocol of [TCP, MPTCP])
      assert.deepEqual(
        new Socket({ protocol }).run(
          setProgram(maps),
          { level: 0, option: 64 },
          { value: page, length: 9000 },
        ),
        { result: 1, length: 0 },
      );
  });

  it("takes a hint without memory for it", () => {
    const socket = new Socket({ hasMemory: false });
    assert.equal(socket.set(ttl, number(60)), "taken");
    assert.deepEqual(socket.get(ttl), number(64));
  });
});

describe("the BPF program after getsockopt(2)", () => {
  it("reads TCP's default where nothing was set, whichever way the kernel refuses", () => {
    for (const error of [ENOPROTOOPT, EOPNOTSUPP])
      assert.deepEqual(
        [ttl, signedOption, timeout, readOnly].map((one) => new Socket().get(one, { error })),
        [64, -1, 0, 0].map(number),
      );
  });

  it("leaves answers of the kernel, other errors, and other options", () => {
    for (const error of [0, 14, 22]) assert.equal(new Socket().get(ttl, { error }), "left");
    assert.equal(new Socket({ protocol: TCP }).get(ttl), "left");
    assert.equal(new Socket().get({ level: 0, option: 5 }), "left");
    assert.equal(new Socket().get({ ...ttl, level: 41 }), "left");
  });

  it("fits the value into the room that there is", () => {
    const socket = new Socket();
    socket.set(signedOption, number(0x01020304));
    const room = (option: Option) =>
      [0, 1, 2, 3, 4, 5, 16].map((length) => {
        const value = socket.get(option, { length });
        return typeof value === "string" ? value : value.toString("hex");
      });
    const whole = "04030201";
    assert.deepEqual(room(signedOption), ["", "04", "0403", "040302", whole, whole, whole]);
    // As IPv4 gives small numbers.
    assert.deepEqual(room(ttl), ["", "40", "40", "40", "40000000", "40000000", "40000000"]);
  });
});

describe("the rows of the BPF programs", () => {
  it("have a slot for each option that is remembered, the same for both families", () => {
    const rows = encodeRows([ttl, onOff, { ...ttl, family: 10 }, timeout]);
    assert.deepEqual(
      rows.map(({ value }) => value.readInt32LE(0) / slotSize),
      [1, 2, 1, 0],
    );
  });

  it("are not more than there are slots", () => {
    const hints = Array.from({ length: maxSlots }, (_, option) => ({ ...onOff, option }));
    assert.equal(encodeRows(hints.slice(1)).length, maxSlots - 1);
    assert.throws(() => encodeRows(hints), /more than 63/);
  });
});

type SocketState = {
  family?: number;
  protocol?: number;
  hasMemory?: boolean;
  remembered?: [OptionAnswer, number][];
};

/** A socket as the programs see it. */
class Socket {
  readonly #socket = Buffer.alloc(16);
  #storage: Buffer | undefined;
  readonly #hasMemory: boolean;
  readonly #rows = encodeRows(answers);

  constructor({ family = 2, protocol = MPTCP, hasMemory = true, remembered = [] }: SocketState = {}) {
    this.#socket.writeInt32LE(family, 4);
    this.#socket.writeInt32LE(protocol, 12);
    this.#hasMemory = hasMemory;
    for (const [{ level, option }, value] of remembered) {
      const slot = this.#rows.find(
        ({ key }) => key.readInt32LE(4) === level && key.readInt32LE(8) === option,
      );
      this.#storage ??= Buffer.alloc(maxSlots * slotSize);
      const at = slot?.value.readInt32LE(0) ?? assert.fail();
      this.#storage.writeInt32LE(1, at);
      this.#storage.writeInt32LE(value, at + 4);
    }
  }

  /** "left" to the kernel, or its error. */
  set(option: Option, value: Buffer): "taken" | "left" | number {
    const { result, length, error = 0 } = this.run(setProgram(maps), option, { value });
    if (result === 0) return error;
    return length === -1 ? "taken" : "left";
  }

  get(option: Option, { length = 4, error = EOPNOTSUPP } = {}): Buffer | "left" {
    const value = Buffer.alloc(length);
    const after = this.run(getProgram(maps), option, { value, error: -error });
    assert.equal(after.result, 1);
    return after.error === -error ? "left" : value.subarray(0, after.length);
  }

  /** The room is larger than the value, as the kernel's is. */
  run(
    code: Uint8Array,
    { level, option }: Option,
    {
      value = Buffer.alloc(0),
      length = value.length,
      error,
    }: { value?: Buffer; length?: number; error?: number },
  ): { result: number; length: number; error?: number } {
    const room: Region = { at: 0x10000, bytes: Buffer.alloc(Math.max(32, value.length)) };
    value.copy(room.bytes);
    const context: Region = { at: 0x1000, bytes: Buffer.alloc(40) };
    for (const [index, pointer] of [0x3000, room.at, room.at + room.bytes.length].entries())
      context.bytes.writeBigUInt64LE(BigInt(pointer), 8 * index);
    for (const [index, field] of [level, option, length, error ?? 0].entries())
      context.bytes.writeInt32LE(field, 24 + 4 * index);
    let given: number | undefined;
    const regions = () => [
      ...[context, room, { at: 0x3000, bytes: this.#socket }],
      ...this.#rows.map((row, index) => ({ at: 0x4000 + 0x100 * index, bytes: row.value })),
      ...(this.#storage === undefined ? [] : [{ at: 0x8000, bytes: this.#storage }]),
    ];
    const result = execute(Buffer.from(code), {
      context: context.at,
      regions,
      helpers: {
        1: ([map, key = 0n], read) => {
          assert.equal(map, BigInt(maps.rows));
          const index = this.#rows.findIndex((row) => row.key.equals(read(key, row.key.length)));
          return index < 0 ? 0n : BigInt(0x4000 + 0x100 * index);
        },
        107: ([map, socket, value_, flags]) => {
          assert.deepEqual([map, socket, value_], [BigInt(maps.storage), 0x3000n, 0n]);
          if (flags === 1n && this.#hasMemory) this.#storage ??= Buffer.alloc(maxSlots * slotSize);
          return this.#storage === undefined ? 0n : 0x8000n;
        },
        187: ([value_ = 0n]) => {
          given = Number(BigInt.asIntN(32, value_));
          return 0n;
        },
      },
    });
    room.bytes.copy(value, 0, 0, value.length);
    const after = error === undefined ? given : context.bytes.readInt32LE(36);
    return {
      result,
      length: context.bytes.readInt32LE(32),
      ...(after === undefined ? {} : { error: after }),
    };
  }
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}
