// What programs need of the system, from their ELF headers.
import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { isFile, walk } from "./files.mjs";
import { runTool } from "./tool.mjs";

/** The ELF files of a directory, as paths below it. */
export function elfFiles(directory) {
  return walk(directory).filter((name) => isFile(join(directory, name)) && isElf(join(directory, name)));
}

function isElf(path) {
  const start = Buffer.alloc(4);
  const fd = openSync(path, "r");
  readSync(fd, start);
  closeSync(fd);
  return start.equals(Buffer.from("\x7fELF", "latin1"));
}

/** The libraries that files ask for, and for each the versions of its symbols: "libc.so.6" → ["GLIBC_2.2.5", …]. */
export function needsOf(paths) {
  const needs = new Map();
  for (const path of paths) {
    const text = runTool("readelf", ["--wide", "--dynamic", "--version-info", path], "binutils", {
      encoding: "utf8",
      env: { ...process.env, LC_ALL: "C" },
    });
    for (const [, library] of text.matchAll(/\(NEEDED\).*\[(.*)\]/g)) versionsIn(needs, library);
    let versions;
    for (const line of text.split("\n")) {
      const [, library] = / File: (\S+) /.exec(line) ?? [];
      if (library !== undefined) versions = versionsIn(needs, library);
      // Those that a library defines are listed as well, without a file.
      else if (line.startsWith("Version ")) versions = undefined;
      const [, version] = /^\s+0x\w+:\s+Name: (\S+)\s+Flags/.exec(line) ?? [];
      if (version !== undefined) versions?.add(version);
    }
  }
  return needs;
}

function versionsIn(needs, library) {
  if (!needs.has(library)) needs.set(library, new Set());
  return needs.get(library);
}
