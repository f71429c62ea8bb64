// The parts in C: what they are made of, and how. For a checkout by tools/build.mjs, for packages by tools/package.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { nodeHeaders } from "./node-headers.mjs";

const root = dirname(import.meta.dirname);

const commonFlags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-fvisibility=hidden"];

/** One compiler call makes each from all the C files of its directories: its own, and what it shares with others. */
export const natives = [
  {
    output: "addon.node",
    directory: "addon",
    headers: ["options"],
    flags: ["-fPIC", "-shared"],
    usesNode: true,
  },
  { output: "mptcpize", directory: "launcher", shared: ["options"], flags: [] },
  // Goes into programs of any libc, so it is linked with none. The sanitizer's build needs its own libraries.
  {
    output: "libmptcpwrap.so",
    directory: "preload",
    shared: ["options"],
    flags: ["-fPIC", "-shared", "-fno-stack-protector"],
    plainFlags: ["-nostdlib"],
  },
];

/** All files that one is made of; of some directories it includes only headers. */
export function sourcesOf({ directory, shared = [], headers = [] }) {
  return [
    ...[directory, ...shared].flatMap(filesOf),
    ...headers.flatMap(filesOf).filter((file) => file.endsWith(".h")),
  ];
}

function filesOf(part) {
  const names = readdirSync(join(root, "native", part)).sort();
  return names.map((name) => join("native", part, name));
}

/** Throws what execFileSync throws, or an error that says what is missing. */
export function compileNative(native, output, { compiler = process.env.CC ?? "cc", flags = [] } = {}) {
  const sources = sourcesOf(native).filter((path) => path.endsWith(".c"));
  const includes = native.usesNode ? [`-I${headersOfNode()}`] : [];
  const options = [...commonFlags, ...native.flags, ...flags, ...includes];
  mkdirSync(dirname(output), { recursive: true });
  run(compiler, [...options, ...sources, "-o", `${output}.new`]);
  // A running program keeps the file that it has mapped.
  renameSync(`${output}.new`, output);
}

function headersOfNode() {
  const headers = nodeHeaders();
  if (!headers)
    throw new Error(
      "node_api.h and uv.h were not found: install the headers of your Node (Debian: apt install libnode-dev)",
    );
  return headers;
}

function run(command, args) {
  try {
    execFileSync(command, args, { cwd: root, stdio: "inherit" });
  } catch (error) {
    if (error.code !== "ENOENT") throw new Error(`${command} failed`);
    throw new Error(`${command} was not found: install a C compiler (${packagesOf(command)})`);
  }
}

function packagesOf(compiler) {
  const [, architecture] = /^(\w+)-linux-gnu-gcc$/.exec(compiler) ?? [];
  if (architecture === undefined) return "Debian: apt install gcc libc6-dev";
  const debian = { x86_64: "amd64", aarch64: "arm64" }[architecture];
  return `Debian: apt install gcc-${architecture.replace("_", "-")}-linux-gnu libc6-dev-${debian}-cross`;
}
