import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "../../src/lab/kit/checkout.ts";
import { run } from "../../src/lab/kit/lab-process.ts";
import { labDirectory } from "../../src/lab/kit/requires.ts";

const sources = join(checkout, "test/lab/programs");

/** Files of tests share what they compile, even if each has a sandbox of its own (tools/test.mjs). */
const { MPTCPD_TEST_PROGRAMS: directory = join(labDirectory, "programs") } = process.env;

/** A source file there, for programs that need no compiler of ours. */
export function source(file: string): string {
  return join(sources, file);
}

/** How a C source of test/lab/programs becomes a program, or a library that is loaded into one. */
export type Build = "glibc" | "glibc static" | "musl" | "musl static" | "library";

/** What `requires` must ask for. */
export const toolsFor = { glibc: "cc", musl: "musl-gcc", go: "go" };

/** The path of test/lab/programs/`name`.c, compiled. */
export async function compiled(name: string, build: Build): Promise<string> {
  return made(`${name}-${build.replace(" ", "-")}`, async (output) => {
    const libc = build.startsWith("musl") ? [toolsFor.musl, ...(await headersOfKernel())] : [toolsFor.glibc];
    const form = build.endsWith("static") ? ["-static"] : build === "library" ? ["-shared", "-fPIC"] : [];
    const warnings = ["-Wall", "-Wextra", "-Werror"];
    await clean([...libc, "-O1", ...warnings, ...form, join(sources, `${name}.c`), "-o", output, "-pthread"]);
  });
}

/** The path of test/lab/programs/`name`.go, compiled by `go`; with cgo it is linked dynamically. */
export function compiledGo(
  name: string,
  { cgo, go = toolsFor.go }: { cgo: boolean; go?: string },
): Promise<string> {
  const kind = [...(go === toolsFor.go ? [] : ["newer"]), "go", ...(cgo ? ["cgo"] : [])];
  return made([name, ...kind].join("-"), async (output) => {
    const caches = join(directory, "go");
    await clean([
      "env",
      `HOME=${caches}`,
      `GOCACHE=${join(caches, "cache")}`,
      `GOPATH=${join(caches, "path")}`,
      "GOFLAGS=-mod=mod",
      "GOTOOLCHAIN=local",
      `CGO_ENABLED=${Number(cgo)}`,
      ...[go, "build", "-o", output, join(sources, `${name}.go`)],
    ]);
  });
}

/** The path of test/lab/programs/`name`.rs, compiled by `rustc`. */
export function compiledRust(name: string): Promise<string> {
  return made(`${name}-rust`, async (output) => {
    await clean(["rustc", "-O", join(sources, `${name}.rs`), "-o", output]);
  });
}

/** Kept until the tests end, for the other test files; one that is being made is never seen. */
async function made(name: string, make: (output: string) => Promise<void>): Promise<string> {
  const path = join(directory, name);
  if (existsSync(path)) return path;
  mkdirSync(directory, { recursive: true });
  const unfinished = `${path}.${randomUUID()}`;
  await make(unfinished);
  renameSync(unfinished, path);
  return path;
}

/** musl brings none of linux/ and asm/; behind its own headers those of the system do no harm. */
async function headersOfKernel(): Promise<string[]> {
  const triplet = (await clean([toolsFor.glibc, "-print-multiarch"])).trim();
  return ["/usr/include", join("/usr/include", triplet)].flatMap((path) => ["-idirafter", path]);
}

/** Runs a tool without what the sanitizer's tests preload into this process. */
function clean(command: readonly string[]): Promise<string> {
  return run("env", ["-u", "LD_PRELOAD", ...command]);
}
