import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { socketProgram } from "../../../src/kernel/bpf/socket-program.ts";

const mapFd = 7;
const MPTCP = 262;
const unchanged = 0;
const inside = [1n, 20n, 300n];

/** The machine code is run here: what the kernel makes of it, test/vm/bpf.test.ts sees. */
describe("the BPF program", () => {
  const families = { unix: 1, ipv4: 2, ipv6: 10, netlink: 16 };
  const types = {
    stream: 1,
    datagram: 2,
    raw: 3,
    seqpacket: 5,
    stream_flags: 0x80801,
    odd: 0x11,
    odder: 0x101,
  };
  const protocols = { any: 0, tcp: 6, udp: 17, sctp: 132, mptcp: MPTCP };

  for (const [family, familyNumber] of Object.entries(families))
    for (const [type, typeNumber] of Object.entries(types))
      for (const [protocol, protocolNumber] of Object.entries(protocols)) {
        const isTcp = /^ip/.test(family) && /^stream/.test(type) && /^(any|tcp)$/.test(protocol);
        it(`${isTcp ? "converts" : "leaves"} ${family}, ${type}, ${protocol}`, () => {
          const result = execute([familyNumber, typeNumber, protocolNumber], inside, [300n]);
          assert.equal(result, isTcp ? MPTCP : unchanged);
        });
      }

  it("converts in a cgroup of the set and in those below it, at any depth that systemd makes", () => {
    const deep = [...Array(40).keys()].map((level) => BigInt(level + 1));
    for (const attached of [2n, 3n, 40n]) assert.equal(execute([2, 1, 0], deep, [attached]), MPTCP);
  });

  it("leaves tasks outside alone, and those beside", () => {
    assert.equal(execute([2, 1, 0], inside, []), unchanged);
    assert.equal(execute([2, 1, 0], inside, [4n, 301n]), unchanged);
    assert.equal(execute([2, 1, 0], [1n], [300n]), unchanged);
  });

  it("sees nothing but the lower halves of its arguments: the upper ones are undefined", () => {
    assert.equal(execute([2, 1, 0], inside, [20n], 0xdead_beefn << 32n), MPTCP);
  });
});

/**
 * Interprets the instructions that the program has. `cgroups` are the ids from the root's down to the task's own.
 * Memory is the context at 0x1000 and the frame that ends at 0x2000.
 */
function execute(
  args: readonly number[],
  cgroups: readonly bigint[],
  attached: readonly bigint[],
  upper = 0n,
): number {
  const code = Buffer.from(socketProgram(mapFd));
  const memory = new Map(args.map((value, index) => [0x1000n + BigInt(index * 8), upper | BigInt(value)]));
  const registers = Array.from({ length: 11 }, () => 0n);
  const register = (index: number) => registers[index] ?? assert.fail();
  const low = (value: bigint) => BigInt.asUintN(32, value);
  registers[1] = 0x1000n;
  registers[10] = 0x2000n;
  for (let at = 0, steps = 0; steps < 10_000; steps++) {
    const [opcode = 0, operands = 0] = code.subarray(at * 8);
    const [destination, source] = [operands & 0xf, operands >> 4];
    const offset = code.readInt16LE(at * 8 + 2);
    const immediate = BigInt(code.readInt32LE(at * 8 + 4));
    const value = register(destination);
    at++;
    const jump = (condition: boolean) => {
      if (condition) at += offset;
    };
    switch (opcode) {
      case 0x79:
        registers[destination] = memory.get(register(source) + BigInt(offset)) ?? assert.fail("bad address");
        break;
      case 0x7b:
        memory.set(value + BigInt(offset), register(source));
        break;
      case 0xbf:
        registers[destination] = register(source);
        break;
      case 0xb7:
        registers[destination] = immediate;
        break;
      case 0x07:
        registers[destination] = value + immediate;
        break;
      case 0x54:
        registers[destination] = low(value) & low(immediate);
        break;
      case 0x18:
        registers[destination] = immediate;
        at++;
        break;
      case 0x15:
        jump(value === immediate);
        break;
      case 0x55:
        jump(value !== immediate);
        break;
      case 0x16:
        jump(low(value) === low(immediate));
        break;
      case 0x56:
        jump(low(value) !== low(immediate));
        break;
      case 0xa5:
        jump(value < immediate);
        break;
      case 0x85:
        registers[0] = call(immediate);
        break;
      case 0x95:
        return Number(register(0));
      default:
        assert.fail(`instruction ${opcode}`);
    }
  }
  return assert.fail("the program does not end");

  function call(helper: bigint): bigint {
    if (helper === 123n) return cgroups[Number(register(1))] ?? 0n;
    assert.equal(helper, 1n);
    assert.equal(register(1), BigInt(mapFd));
    return attached.includes(memory.get(register(2)) ?? assert.fail("bad key")) ? 0x3000n : 0n;
  }
}
