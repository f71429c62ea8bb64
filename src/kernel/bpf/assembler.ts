/**
 * BPF instructions as data, and their machine code. The encoding is that of RFC 9669; names follow its mnemonics'
 * meaning. "32" compares or computes with the lower halves of registers.
 */

/** R0 is the result of a call and of the program, R1–R5 are a call's arguments, R6–R9 survive it, R10 is the frame. */
export type Register = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10;

type Operation = {
  readonly opcode: number;
  readonly destination?: Register;
  readonly source?: number;
  readonly offset?: number;
  readonly immediate?: number;
  /** The label that a jump goes to. */
  readonly target?: string;
};

/** An instruction, or a place to jump to. */
export type Line = Operation | { readonly label: string };

const instructionSize = 8;

export function label(name: string): Line {
  return { label: name };
}

/** Reads eight bytes at [source + offset]. */
export function load(destination: Register, source: Register, offset: number): Line {
  return { opcode: 0x79, destination, source, offset };
}

/** Writes eight bytes at [destination + offset]. */
export function store(destination: Register, offset: number, source: Register): Line {
  return { opcode: 0x7b, destination, source, offset };
}

/** Reads four bytes at [source + offset]; the upper half of the register is 0 then. */
export function load32(destination: Register, source: Register, offset: number): Line {
  return { opcode: 0x61, destination, source, offset };
}

/** Writes the lower half at [destination + offset]. */
export function store32(destination: Register, offset: number, source: Register): Line {
  return { opcode: 0x63, destination, source, offset };
}

/** Reads one byte. */
export function load8(destination: Register, source: Register, offset: number): Line {
  return { opcode: 0x71, destination, source, offset };
}

/** Writes the lowest byte. */
export function store8(destination: Register, offset: number, source: Register): Line {
  return { opcode: 0x73, destination, source, offset };
}

export function copy(destination: Register, source: Register): Line {
  return { opcode: 0xbf, destination, source };
}

export function set(destination: Register, immediate: number): Line {
  return { opcode: 0xb7, destination, immediate };
}

export function add(destination: Register, immediate: number): Line {
  return { opcode: 0x07, destination, immediate };
}

export function and32(destination: Register, immediate: number): Line {
  return { opcode: 0x54, destination, immediate };
}

export function addRegister(destination: Register, source: Register): Line {
  return { opcode: 0x0f, destination, source };
}

export function addRegister32(destination: Register, source: Register): Line {
  return { opcode: 0x0c, destination, source };
}

export function andRegister32(destination: Register, source: Register): Line {
  return { opcode: 0x5c, destination, source };
}

export function shiftRight32(destination: Register, bits: number): Line {
  return { opcode: 0x74, destination, immediate: bits };
}

export function jump(target: string): Line {
  return { opcode: 0x05, target };
}

export function jumpIfEqual32(destination: Register, immediate: number, target: string): Line {
  return { opcode: 0x16, destination, immediate, target };
}

export function jumpUnlessEqual32(destination: Register, immediate: number, target: string): Line {
  return { opcode: 0x56, destination, immediate, target };
}

export function jumpIfEqualRegister32(destination: Register, source: Register, target: string): Line {
  return { opcode: 0x1e, destination, source, target };
}

/** Compares as signed numbers. */
export function jumpIfSignedLess32(destination: Register, immediate: number, target: string): Line {
  return { opcode: 0xc6, destination, immediate, target };
}

/** Compares as signed numbers. */
export function jumpIfSignedAtMostRegister32(destination: Register, source: Register, target: string): Line {
  return { opcode: 0xde, destination, source, target };
}

export function jumpIfGreaterRegister(destination: Register, source: Register, target: string): Line {
  return { opcode: 0x2d, destination, source, target };
}

export function jumpIfZero(destination: Register, target: string): Line {
  return { opcode: 0x15, destination, target };
}

export function jumpUnlessZero(destination: Register, target: string): Line {
  return { opcode: 0x55, destination, target };
}

export function jumpIfLess(destination: Register, immediate: number, target: string): Line {
  return { opcode: 0xa5, destination, immediate, target };
}

/** A helper of the kernel, by its number (bpf-helpers(7)). */
export function call(helper: number): Line {
  return { opcode: 0x85, immediate: helper };
}

/** Puts a map, by its file descriptor, into a register. Two instructions long. */
export function setMap(destination: Register, fd: number): readonly Line[] {
  const BPF_PSEUDO_MAP_FD = 1;
  return [{ opcode: 0x18, destination, source: BPF_PSEUDO_MAP_FD, immediate: fd }, { opcode: 0 }];
}

export const exit: Line = { opcode: 0x95 };

/** @throws Error for a label that is missing or there twice: a fault of the program's text */
export function assemble(lines: readonly Line[]): Uint8Array {
  const labels = new Map<string, number>();
  const operations: Operation[] = [];
  for (const line of lines) {
    if (!("label" in line)) operations.push(line);
    else if (labels.has(line.label)) throw new Error(`the label ${line.label} is there twice`);
    else labels.set(line.label, operations.length);
  }
  const code = Buffer.alloc(operations.length * instructionSize);
  operations.forEach((operation, index) => {
    const at = index * instructionSize;
    code.writeUInt8(operation.opcode, at);
    code.writeUInt8(((operation.source ?? 0) << 4) | (operation.destination ?? 0), at + 1);
    code.writeInt16LE(offsetOf(operation, index, labels), at + 2);
    code.writeInt32LE(operation.immediate ?? 0, at + 4);
  });
  return code;
}

/** A jump counts from the instruction after it. */
function offsetOf(
  { offset = 0, target }: Operation,
  index: number,
  labels: ReadonlyMap<string, number>,
): number {
  if (target === undefined) return offset;
  const position = labels.get(target);
  if (position === undefined) throw new Error(`there is no label ${target}`);
  return position - index - 1;
}
