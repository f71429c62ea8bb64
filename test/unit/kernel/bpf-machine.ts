import assert from "node:assert/strict";

export type Region = { readonly at: number; readonly bytes: Buffer };

type Read = (address: bigint, size: number) => Buffer;
type Helpers = Readonly<Record<number, (args: readonly bigint[], read: Read) => bigint>>;

/**
 * Runs BPF code of the instructions that our programs for socket options have. R1 is `context`, the frame ends at
 * 0x2000. It fails for memory that is in no region, and for an end that does not come.
 *
 * @param helpers by number, with R1 to R4 and the memory; a map is the number of its file descriptor
 * @returns R0
 */
export function execute(
  code: Buffer,
  { context, regions, helpers }: { context: number; regions: () => readonly Region[]; helpers: Helpers },
): number {
  const frame: Region = { at: 0x1e00, bytes: Buffer.alloc(0x200) };
  const registers = Array.from({ length: 11 }, () => 0n);
  registers[1] = BigInt(context);
  registers[10] = 0x2000n;
  const get = (index: number) => registers[index] ?? assert.fail();
  const low = (value: bigint) => BigInt.asUintN(32, value);
  const signed = (value: bigint) => BigInt.asIntN(32, value);
  const memory = (address: bigint, size: number): { bytes: Buffer; at: number } => {
    for (const { at, bytes } of [frame, ...regions()]) {
      const offset = Number(address) - at;
      if (offset >= 0 && offset + size <= bytes.length) return { bytes, at: offset };
    }
    return assert.fail(`no ${size} bytes at ${address.toString(16)}`);
  };
  for (let at = 0, steps = 0; steps < 1000; steps++) {
    const [opcode = 0, operands = 0] = code.subarray(at * 8);
    const [destination, source] = [operands & 0xf, operands >> 4];
    const offset = BigInt(code.readInt16LE(at * 8 + 2));
    const immediate = BigInt(code.readInt32LE(at * 8 + 4));
    const [value, other] = [get(destination), get(source)];
    at++;
    const put = (result: bigint) => {
      registers[destination] = BigInt.asUintN(64, result);
    };
    const jump = (condition: boolean) => {
      if (condition) at += Number(offset);
    };
    const read = (size: number) => {
      const found = memory(other + offset, size);
      put(
        size === 8 ? found.bytes.readBigUInt64LE(found.at) : BigInt(found.bytes.readUIntLE(found.at, size)),
      );
    };
    const write = (size: number) => {
      const found = memory(value + offset, size);
      found.bytes.writeUIntLE(Number(BigInt.asUintN(8 * size, other)), found.at, size);
    };
    const operations: Record<number, () => void> = {
      121: () => read(8),
      97: () => read(4),
      113: () => read(1),
      99: () => write(4),
      115: () => write(1),
      191: () => put(other),
      183: () => put(immediate),
      7: () => put(value + immediate),
      15: () => put(value + other),
      12: () => put(low(value + other)),
      84: () => put(low(value) & low(immediate)),
      92: () => put(low(value) & low(other)),
      116: () => put(low(value) >> immediate),
      5: () => jump(true),
      21: () => jump(value === immediate),
      22: () => jump(low(value) === low(immediate)),
      86: () => jump(low(value) !== low(immediate)),
      30: () => jump(low(value) === low(other)),
      198: () => jump(signed(value) < immediate),
      222: () => jump(signed(value) <= signed(other)),
      45: () => jump(value > other),
      24: () => {
        put(immediate);
        at++;
      },
      133: () => {
        const helper = helpers[Number(immediate)] ?? assert.fail(`helper ${immediate}`);
        registers[0] = helper([1, 2, 3, 4].map(get), (address, size) => {
          const found = memory(address, size);
          return found.bytes.subarray(found.at, found.at + size);
        });
        // What a call leaves in these is undefined.
        for (const index of [1, 2, 3, 4, 5]) registers[index] = 0xdead_dead_dead_deadn;
      },
    };
    if (opcode === 0x95) return Number(get(0));
    (operations[opcode] ?? assert.fail(`instruction ${opcode.toString(16)}`))();
  }
  return assert.fail("the program does not end");
}
