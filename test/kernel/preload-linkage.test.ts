import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkout } from "../../src/lab/kit/checkout.ts";
import { Lab } from "../../src/lab/kit/lab.ts";
import { run } from "../../src/lab/kit/lab-process.ts";
import { requires } from "../../src/lab/kit/requires.ts";

const library = join(checkout, "dist/libmptcpwrap.so");
const crossCompiler = "aarch64-linux-gnu-gcc";

describe("libmptcpwrap.so as a file", { skip: requires({ tools: ["readelf"] }) }, () => {
  it("can be loaded into a program of any libc: it needs no library and no version of a symbol", async () => {
    await assertUnbound(library);
  });

  const skip = requires({ tools: [crossCompiler] });
  it("can be built for arm64, and is no more bound there", { skip }, async (t) => {
    const output = (await Lab.create(t)).freshPath("libmptcpwrap.so");
    const flags = [
      "-std=gnu11",
      "-O2",
      "-Wall",
      "-Wextra",
      "-Wshadow",
      "-Werror",
      "-fvisibility=hidden",
      "-fPIC",
    ];
    const form = ["-shared", "-nostdlib", "-fno-stack-protector"];
    const command = [crossCompiler, ...flags, ...form, ...sources(), "-o", output];
    await run("env", ["-u", "LD_PRELOAD", ...command]);
    assert.match(await run("readelf", ["-h", output]), /Machine: +AArch64/);
    await assertUnbound(output);
  });
});

function sources(): string[] {
  return ["native/preload", "native/options"].flatMap((directory) =>
    readdirSync(join(checkout, directory))
      .filter((name) => name.endsWith(".c"))
      .map((name) => join(checkout, directory, name)),
  );
}

async function assertUnbound(path: string): Promise<void> {
  assert.doesNotMatch(await run("readelf", ["-d", path]), /NEEDED/);
  assert.match(await run("readelf", ["-V", path]), /No version information found/);
  assert.deepEqual(await dynamicSymbols(path), [
    "GLOBAL FUNC getsockopt",
    "GLOBAL FUNC setsockopt",
    "GLOBAL FUNC socket",
    "GLOBAL UND __errno_location",
    "GLOBAL UND getenv",
    "GLOBAL UND syscall",
    "WEAK UND dlsym",
  ]);
}

/** Those that it defines, with their type, and those that it asks for, sorted. */
async function dynamicSymbols(path: string): Promise<string[]> {
  const table = await run("readelf", ["-W", "--dyn-syms", path]);
  const symbol = /\d+: \w+ +\d+ (\w+) +(GLOBAL|WEAK) +\w+ +(\w+) (\w+)/g;
  const found = Array.from(table.matchAll(symbol), ([, type, binding, section, name]) =>
    [binding, section === "UND" ? section : type, name].join(" "),
  );
  return found.sort();
}
