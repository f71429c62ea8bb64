import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { rounds } from "../lab/campaign.ts";
import { elf, goBuildInformation, nativeMachine } from "../lab/elf.ts";
import { ending, launcher, openDirectory, writeProgram } from "../lab/launcher.ts";

const times = rounds(40, 400);
const extremes = [0, 1, 0x7f, 0x80, 0xff];

/** What each round damages. */
const originals: Readonly<Record<string, Buffer>> = {
  "a dynamic program": elf({ loader: "/bin/sh", sections: { ".text": Buffer.alloc(20) } }),
  "a Go program": elf({ loader: "/bin/sh", sections: { ".go.buildinfo": goBuildInformation("go1.25.0") } }),
  "the start of a real program": readFileSync("/bin/true").subarray(0, 4096),
  "a script": Buffer.from("#!/usr/bin/env -S -u A B=1 sh -x\n"),
};

describe("mptcpize run looks at a malformed file without harm", { skip: requires() }, () => {
  for (const [name, original] of Object.entries(originals)) {
    it(`${name}, bytes of it changed at random`, (t) => {
      const path = join(openDirectory(t), "program");
      const random = randomNumbers(1);
      for (let round = 0; round < times; round++) {
        const content = Buffer.from(original);
        for (let change = random(4); change >= 0; change--) {
          // Mostly the headers; lengths and offsets break best at their extremes.
          const at = random(random(2) ? Math.min(content.length, 120) : content.length);
          content.writeUInt8(random(2) ? random(256) : (extremes[random(extremes.length)] ?? 0), at);
        }
        looksAt(path, content, `round ${round}`);
      }
    });

    it(`${name}, cut short everywhere`, (t) => {
      const path = join(openDirectory(t), "program");
      const step = Math.ceil(original.length / rounds(50, 200));
      for (let length = 0; length < original.length; length += step)
        looksAt(path, original.subarray(0, length), `${length} bytes`);
    });
  }

  describe("with offsets and counts that lead nowhere", () => {
    const offsets = [
      0n,
      1n,
      0x7fff_ffff_ffff_ffffn,
      0x8000_0000_0000_0000n,
      0xffff_ffff_ffff_ffc0n,
      0xffff_ffff_ffff_ffffn,
    ];
    const fields = { "program headers": 32, "section headers": 40 };
    for (const [field, at] of Object.entries(fields))
      it(field, (t) => {
        const path = join(openDirectory(t), "program");
        for (const offset of offsets)
          for (const count of [0, 1, 0xfffe, 0xffff]) {
            const content = Buffer.from(originals["a Go program"] ?? "");
            assert.equal(content.readUInt16LE(18), nativeMachine);
            content.writeBigUInt64LE(offset, at);
            content.writeUInt16LE(count, 56);
            content.writeUInt16LE(count, 60);
            looksAt(path, content, `${offset}, ${count}`);
          }
      });
  });
});

describe("mptcpize run keeps to its buffers", { skip: requires() }, () => {
  it("for a loader whose path is as long as paths can be, and longer", (t) => {
    const path = join(openDirectory(t), "program");
    const slashes = (length: number) => "/".repeat(length - "bin/sh".length).concat("bin/sh");
    for (const length of [4094, 4095, 4096, 8191, 70_000])
      looksAt(path, elf({ loader: slashes(length) }), `${length} bytes`);
  });

  it("for a version of Go that is as long as one can be, and longer", (t) => {
    const path = join(openDirectory(t), "program");
    for (const length of [127, 128, 129, 255]) {
      const information = goBuildInformation("go1.25.".padEnd(length, "0"));
      looksAt(path, elf({ sections: { ".go.buildinfo": information } }), `${length} bytes`);
    }
  });

  it("for more names of sections than it reads", (t) => {
    const path = join(openDirectory(t), "program");
    const sections = { ["x".repeat(5000)]: Buffer.alloc(4), ".go.buildinfo": goBuildInformation("go1.25.0") };
    looksAt(path, elf({ sections }), "a long name");
  });
});

/** It ends by itself, with an answer or with why there is none. */
function looksAt(path: string, content: Uint8Array, title: string): void {
  const { code, signal, stdout, stderr } = ending(launcher, [
    "run",
    "--dry-run",
    writeProgram(path, content),
  ]);
  assert.equal(signal, null, title);
  assert.ok(code === 0 || code === 126 || code === 127, `${title}: exit ${code}: ${stderr}`);
  if (code === 0) assert.match(stdout, /^way: (preload|go|seccomp|none)\n/, title);
  else assert.match(stderr, /^mptcpize: [^\n]+\n$/, title);
}

/** Numbers below a bound, the same ones in each run (mulberry32). */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
