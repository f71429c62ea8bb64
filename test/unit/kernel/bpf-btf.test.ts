import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { findFunction, numbersTypes, readKernelTypes } from "../../../src/kernel/bpf/btf.ts";
import { BpfError } from "../../../src/kernel/bpf/syscalls.ts";

const isMalformed = { name: "BpfError", code: "BTF" };

describe("the kernel's type information (BTF)", () => {
  it("gives a function's id, whatever types come before it", () => {
    // Every kind that a kernel may have, with as many members as its further size tells.
    const before = [...Array(19)].map((_, index) => type({ kind: index + 1, name: "other", members: 3 }));
    const types = btf([...before, type({ kind: 12, name: "wanted" })]);
    assert.equal(findFunction(types, "wanted"), 20);
  });

  it("takes no other kind of type for a function, though it has the name", () => {
    const types = btf([type({ kind: 4, name: "wanted" }), type({ kind: 12, name: "wanted" })]);
    assert.equal(findFunction(types, "wanted"), 2);
  });

  it("takes no function for another whose name ends alike", () => {
    assert.equal(findFunction(btf([type({ kind: 12, name: "un_wanted" })]), "wanted"), undefined);
  });

  it("gives nothing for a function that there is not", () => {
    assert.equal(findFunction(btf([type({ kind: 12, name: "other" })]), "wanted"), undefined);
  });

  it("says so where it is cut off, or something else", () => {
    assert.throws(() => findFunction(Buffer.alloc(0), "wanted"), isMalformed);
    assert.throws(() => findFunction(Buffer.from("no BTF at all, but long enough"), "wanted"), isMalformed);
    assert.throws(() => findFunction(btf([type({ kind: 31, name: "wanted" })]), "wanted"), {
      ...isMalformed,
      message: "cannot read the kernel's type information (BTF): type 1 is of the unknown kind 31",
    });
    // Its header claims more types than there are, and the first of them more members.
    const cut = btf([type({ kind: 4, name: "wanted", members: 9 })]);
    cut.writeUInt32LE(10_000, 12);
    assert.throws(() => findFunction(cut, "wanted"), isMalformed);
  });

  it("is refused or read, never a crash, however it is damaged", () => {
    const types = btf([type({ kind: 4, name: "other", members: 2 }), type({ kind: 12, name: "wanted" })]);
    fc.assert(
      fc.property(fc.nat(types.length - 1), fc.nat(255), fc.nat(types.length), (at, byte, length) => {
        const damaged = Buffer.from(types);
        damaged[at] = byte;
        try {
          findFunction(damaged.subarray(0, length), "wanted");
        } catch (error) {
          assert(error instanceof BpfError, String(error));
        }
      }),
    );
  });

  it("is missed with one line", () => {
    assert.throws(() => readKernelTypes("/nonexistent"), {
      code: "BTF",
      message: /^this kernel tells nothing about its types \(no \/nonexistent\): .*CONFIG_DEBUG_INFO_BTF$/,
    });
  });

  it("describes numbers for our own maps", () => {
    const { data, ...ids } = numbersTypes(128);
    assert.deepEqual(ids, { number: 1, numbers: 2, count: 128 });
    const expected = [
      ...["9feb0100", "18000000", "00000000", "28000000", "28000000", "05000000"],
      // int: its name, its kind, four bytes, signed and 32 bits
      ...["01000000", "00000001", "04000000", "20000001"],
      // array: no name, its kind, no size, of ints, by ints, how many
      ...["00000000", "00000003", "00000000", "01000000", "01000000", "80000000"],
      "00696e7400",
    ];
    assert.equal(Buffer.from(data).toString("hex"), expected.join(""));
  });

  const own = "/sys/kernel/btf/vmlinux";
  it("is understood to its end, as this kernel has it", { skip: !existsSync(own) && `needs ${own}` }, () => {
    const types = readKernelTypes();
    assert.notEqual(findFunction(types, "tcp_sendmsg"), undefined);
    // Looking for what is the name of no function goes through all types.
    assert.equal(findFunction(types, "task_struct"), undefined);
  });
});

type Type = { name: string; bytes: Buffer };

/** How many bytes follow: include/uapi/linux/btf.h. */
const fixed: Readonly<Record<number, number>> = { 1: 4, 3: 12, 14: 4, 17: 4 };
const perMember: Readonly<Record<number, number>> = { 4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12 };

function type({ kind, name, members = 0 }: { kind: number; name: string; members?: number }): Type {
  const bytes = Buffer.alloc(12 + (fixed[kind] ?? 0) + (perMember[kind] ?? 0) * members);
  bytes.writeUInt32LE(((kind << 24) | members) >>> 0, 4);
  return { name, bytes };
}

function btf(types: readonly Type[]): Buffer {
  // Each name is there once, as in the kernel's.
  const strings = ["", ...new Set(types.map(({ name }) => name)), ""].join("\0");
  for (const { name, bytes } of types) bytes.writeUInt32LE(strings.indexOf(`\0${name}\0`) + 1, 0);
  const records = Buffer.concat(types.map(({ bytes }) => bytes));
  const header = Buffer.alloc(24);
  header.writeUInt16LE(0xeb9f, 0);
  header.writeUInt8(1, 2);
  header.writeUInt32LE(header.length, 4);
  header.writeUInt32LE(records.length, 12);
  header.writeUInt32LE(records.length, 16);
  header.writeUInt32LE(strings.length, 20);
  return Buffer.concat([header, records, Buffer.from(strings, "latin1")]);
}
