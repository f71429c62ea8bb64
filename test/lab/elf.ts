/** ELF files that hold no program: headers and sections, as linkers write them, to be looked at (elf(5)). */

export type ElfOptions = {
  /** 1: 32 bits, 2: 64 bits */
  class?: number;
  /** 62: x86-64, 183: arm64; by default this machine's */
  machine?: number;
  /** PT_INTERP: the loader of a dynamically linked program */
  loader?: string;
  /** Sections by name. */
  sections?: Readonly<Record<string, Uint8Array>>;
};

export const nativeMachine = process.arch === "arm64" ? 183 : 62;
export const foreignMachine = process.arch === "arm64" ? 62 : 183;

const headerSize = 64;
const segmentSize = 56;
const sectionSize = 64;

export function elf({ class: bits = 2, machine = nativeMachine, loader, sections = {} }: ElfOptions): Buffer {
  const segments = loader === undefined ? [] : [Buffer.from(`${loader}\0`)];
  const names = ["", ...Object.keys(sections), ".shstrtab"];
  const nameTable = Buffer.from(names.map((name) => `${name}\0`).join(""));
  const nameOffsets = names.map(
    (_, index) => Buffer.byteLength(names.slice(0, index).join("\0")) + Math.min(index, 1),
  );
  const contents = [...segments, ...Object.values(sections).map((bytes) => Buffer.from(bytes)), nameTable];

  const segmentsAt = headerSize;
  const contentsAt = segmentsAt + segments.length * segmentSize;
  const offsets = contents.map((_, index) => contentsAt + sizeOf(contents.slice(0, index)));
  const sectionsAt = contentsAt + sizeOf(contents);

  const header = Buffer.alloc(headerSize);
  header.write("\x7fELF", "latin1");
  header.writeUInt8(bits, 4);
  header.writeUInt8(1, 5);
  header.writeUInt8(1, 6);
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(machine, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(segmentsAt), 32);
  header.writeBigUInt64LE(BigInt(sectionsAt), 40);
  header.writeUInt16LE(headerSize, 52);
  header.writeUInt16LE(segmentSize, 54);
  header.writeUInt16LE(segments.length, 56);
  header.writeUInt16LE(sectionSize, 58);
  header.writeUInt16LE(names.length, 60);
  header.writeUInt16LE(names.length - 1, 62);

  const segmentTable = segments.map((content, index) => {
    const entry = Buffer.alloc(segmentSize);
    entry.writeUInt32LE(3, 0);
    entry.writeBigUInt64LE(BigInt(offsets[index] ?? 0), 8);
    entry.writeBigUInt64LE(BigInt(content.length), 32);
    return entry;
  });
  const sectionTable = names.map((_, index) => {
    const entry = Buffer.alloc(sectionSize);
    if (index === 0) return entry;
    const content = segments.length + index - 1;
    entry.writeUInt32LE(nameOffsets[index] ?? 0, 0);
    entry.writeBigUInt64LE(BigInt(offsets[content] ?? 0), 24);
    entry.writeBigUInt64LE(BigInt(contents[content]?.length ?? 0), 32);
    return entry;
  });
  return Buffer.concat([header, ...segmentTable, ...contents, ...sectionTable]);
}

/** The section .go.buildinfo as Go writes it since 1.18 (debug/buildinfo). */
export function goBuildInformation(version: string): Buffer {
  const start = Buffer.alloc(32);
  start.write("\xff Go buildinf:", "latin1");
  start.writeUInt8(8, 14);
  start.writeUInt8(2, 15);
  return Buffer.concat([start, Buffer.from([Buffer.byteLength(version)]), Buffer.from(version)]);
}

function sizeOf(buffers: readonly Buffer[]): number {
  return buffers.reduce((sum, { length }) => sum + length, 0);
}
