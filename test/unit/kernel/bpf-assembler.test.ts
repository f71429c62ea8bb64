import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as bpf from "../../../src/kernel/bpf/assembler.ts";

const { assemble, label } = bpf;

describe("the assembler", () => {
  it("encodes each instruction as RFC 9669 does", () => {
    const encodings: [bpf.Line, string][] = [
      [bpf.load(7, 1, 8), "7917080000000000"],
      [bpf.store(10, -8, 0), "7b0af8ff00000000"],
      [bpf.load32(1, 7, 12), "61710c0000000000"],
      [bpf.store32(10, -16, 1), "631af0ff00000000"],
      [bpf.load8(8, 3, 0), "7138000000000000"],
      [bpf.store8(3, 2, 9), "7393020000000000"],
      [bpf.copy(2, 10), "bfa2000000000000"],
      [bpf.set(6, 1), "b706000001000000"],
      [bpf.add(2, -8), "07020000f8ffffff"],
      [bpf.addRegister(0, 1), "0f10000000000000"],
      [bpf.addRegister32(8, 3), "0c38000000000000"],
      [bpf.andRegister32(8, 3), "5c38000000000000"],
      [bpf.shiftRight32(9, 8), "7409000008000000"],
      [bpf.and32(7, ~0x80800), "54070000fff7f7ff"],
      [bpf.call(123), "850000007b000000"],
      [bpf.exit, "9500000000000000"],
    ];
    for (const [line, hex] of encodings) assert.equal(hexOf([line]), hex);
  });

  it("spreads a map over two instructions, by its file descriptor", () => {
    assert.equal(hexOf(bpf.setMap(1, 5)), "18110000050000000000000000000000");
  });

  it("counts jumps from the instruction after, forwards and backwards", () => {
    const lines = [
      label("top"),
      bpf.exit,
      bpf.jumpIfZero(0, "end"),
      bpf.jumpIfLess(6, 64, "top"),
      label("end"),
      bpf.exit,
    ];
    assert.equal(
      hexOf(lines),
      "9500000000000000" + "1500010000000000" + "a506fdff40000000" + "9500000000000000",
    );
  });

  it("compares whole registers or their lower halves", () => {
    const opcodes = (line: bpf.Line) => assemble([line, label("end")])[0];
    assert.equal(opcodes(bpf.jumpIfEqual32(6, 2, "end")), 0x16);
    assert.equal(opcodes(bpf.jumpUnlessEqual32(6, 2, "end")), 0x56);
    assert.equal(opcodes(bpf.jumpIfZero(6, "end")), 0x15);
    assert.equal(opcodes(bpf.jumpUnlessZero(6, "end")), 0x55);
    assert.equal(opcodes(bpf.jump("end")), 0x05);
    assert.equal(opcodes(bpf.jumpIfSignedLess32(6, 4, "end")), 0xc6);
    assert.equal(opcodes(bpf.jumpIfEqualRegister32(6, 7, "end")), 0x1e);
    assert.equal(opcodes(bpf.jumpIfSignedAtMostRegister32(6, 7, "end")), 0xde);
    assert.equal(opcodes(bpf.jumpIfGreaterRegister(6, 7, "end")), 0x2d);
  });

  it("refuses a label that is missing, or there twice", () => {
    assert.throws(() => assemble([bpf.jumpIfZero(0, "nowhere")]), /no label nowhere/);
    assert.throws(() => assemble([label("here"), label("here")]), /here is there twice/);
  });
});

function hexOf(lines: readonly bpf.Line[]): string {
  return Buffer.from(assemble(lines)).toString("hex");
}
