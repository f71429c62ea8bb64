// What runs: the bundles, their starters, the parts in C, and Node.
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { compileNative, natives } from "../natives.mjs";
import { isFile, put, root, walk } from "./files.mjs";
import { compilerFor, stripFor } from "./machines.mjs";
import { nodeRuntime } from "./node-runtime.mjs";
import { runTool } from "./tool.mjs";

/** What distributions demand of programs, and no path of this machine. */
const hardening = [
  ...["-D_FORTIFY_SOURCE=2", "-fstack-clash-protection", `-ffile-prefix-map=${root}=.`],
  ...["-Wl,-z,relro", "-Wl,-z,now", "-Wl,--build-id=sha1"],
];
const forPrograms = ["-fPIE", "-pie"];
const exceptPreload = ["-fstack-protector-strong"];

/** What only a checkout needs: the tour, the lab, and where in the sources a line comes from. */
const leftOut = /^(?:tour|lab)\.js$|\.map$|^asan(?:\/|$)|^[^/]*\.(?:node|so)$|^mptcpize$/;

/** The bundles, the library of path managers and its types; or those of them that are wanted. */
export function putBundles(directory, isWanted = () => true) {
  const source = join(root, "dist");
  for (const name of walk(source)) {
    if (leftOut.test(name) || !isWanted(name) || !isFile(join(source, name))) continue;
    const content = readFileSync(join(source, name), "utf8");
    put(join(directory, name), content.replace(/\/\/# sourceMappingURL=\S+\n?$/, ""));
  }
}

/** @param output "addon.node", "mptcpize" or "libmptcpwrap.so" @param definitions of macros of the C code */
export function putNative(output, path, machine, definitions = {}) {
  const native = natives.find((part) => part.output === output);
  const isProgram = native.directory === "launcher";
  const flags = [
    ...hardening,
    ...(native.directory === "preload" ? [] : exceptPreload),
    ...(isProgram ? forPrograms : []),
    ...(native.plainFlags ?? []),
    ...Object.entries(definitions).map(([name, value]) => `-D${name}="${value}"`),
  ];
  compileNative(native, path, { compiler: compilerFor(machine), flags });
  strip(path, machine);
  chmodSync(path, isProgram ? 0o755 : 0o644);
}

export function putNode(path, machine) {
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  copyFileSync(nodeRuntime(machine).binary, path);
  strip(path, machine);
  chmodSync(path, 0o755);
}

/** The script of bin/ that starts a program: it finds the program and Node by where it lies itself. */
export function putStarter(name, path) {
  put(path, readFileSync(join(root, "bin", name)), 0o755);
}

function strip(path, machine) {
  const { program, debianPackage } = stripFor(machine);
  runTool(program, ["--strip-unneeded", "--remove-section=.comment", path], debianPackage);
}
