import { closeSync, constants, existsSync, openSync, readSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { bytesOfText, textOfBytes } from "../../base/bytes.ts";
import { oneLine } from "../../base/text.ts";
import { requireTrusted } from "./trusted.ts";

/** As much of a script as the kernel reads to find its interpreter (BINPRM_BUF_SIZE). */
const FIRST_LINE = 256;

/**
 * A program can be started, and nobody else could have written it. Throws an Error that says why not; UntrustedFileError.
 */
export function requireStartable(program: string): void {
  if (!existsSync(program)) throw new Error(`there is no program ${program}`);
  requireTrusted(program);
  if (!isExecutable(program)) throw new Error(`${program} cannot be executed: allow it with chmod +x`);
  const line = firstLine(program);
  if (line.startsWith("#!")) requireInterpreter(program, line.slice(2));
}

/** @param line what follows "#!": an interpreter and perhaps one argument, as load_script() of the kernel reads it */
function requireInterpreter(program: string, line: string): void {
  const [, interpreter = "", argument = ""] = /^[ \t]*([^ \t]*)[ \t]*(.*?)[ \t]*$/s.exec(line) ?? [];
  const problem = problemOf(interpreter);
  if (problem !== undefined) {
    const advice = line.endsWith("\r") ? "end its lines with LF, not CR LF" : "correct its first line";
    throw new Error(
      `${program} cannot be started: its interpreter ${oneLine(interpreter)} ${problem}: ${advice}`,
    );
  }
  // With options, or words for env to split, env itself has to tell.
  if (basename(interpreter) !== "env" || !/^[^-=\s][^=\s]*$/.test(argument)) return;
  if (argument.includes("/") ? isStartable(argument) : inPath(argument)) return;
  throw new Error(
    `${program} cannot be started: its interpreter ${oneLine(argument)} is not in the PATH (${oneLine(searchPath())}): ` +
      "install it, or give its whole path in the first line",
  );
}

function inPath(name: string): boolean {
  return searchPath()
    .split(":")
    .some((directory) => isStartable(join(directory || ".", name)));
}

function isStartable(path: string): boolean {
  return problemOf(path) === undefined;
}

function searchPath(): string {
  const { PATH = "" } = process.env;
  return PATH;
}

function problemOf(interpreter: string): string | undefined {
  const path = bytesOfText(interpreter);
  if (path.length === 0 || !existsSync(path)) return "does not exist";
  return isExecutable(path) ? undefined : "cannot be executed";
}

function isExecutable(path: string | Buffer): boolean {
  const status = statSync(path);
  return status.isFile() && (status.mode & 0o111) !== 0;
}

/** Empty where we may not read it: the kernel may. */
function firstLine(path: string): string {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const bytes = Buffer.alloc(FIRST_LINE);
      const length = readSync(fd, bytes);
      return textOfBytes(bytes.subarray(0, length)).split("\n")[0] ?? "";
    } finally {
      closeSync(fd);
    }
  } catch {
    return "";
  }
}
