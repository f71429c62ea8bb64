import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  readSync,
  statSync,
} from "node:fs";
import { basename, join } from "node:path";
import { bytesOfText, textOfBytes } from "../../base/bytes.ts";
import { isSticky, isWorldWritable } from "../../base/files.ts";
import { oneLine } from "../../base/text.ts";

/** Code of a path manager that somebody else could have written. */
class UntrustedFileError extends Error {
  override readonly name = "UntrustedFileError";
  readonly code = "EUNTRUSTED";
}

/**
 * The contents of a file whose code we are about to run, with our privileges: a regular file of root's or of ours, that
 * not everybody may write to. What is looked at is what is read.
 */
export function readTrusted(path: string): Buffer {
  // Not to wait at a FIFO that nobody writes to.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const problem = distrust(fstatSync(fd));
    if (problem !== undefined) throw new UntrustedFileError(`${path} ${problem}`);
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * The same for a file that somebody else opens, by its path: a program, or what `require` reads. Whoever could put
 * another file there meanwhile is kept out by a look at the directories on the way.
 */
export function requireTrusted(path: string): void {
  const steps = stepsTo(path);
  const problem = distrust(statSync(path));
  if (problem !== undefined) throw new UntrustedFileError(`${path} ${problem}`);
  for (const directory of steps) {
    const status = statSync(directory);
    const problem =
      isWorldWritable(status) && !isSticky(status)
        ? "may be written by everybody: take that away with chmod o-w"
        : distrustOwner(status.uid);
    if (problem !== undefined) throw new UntrustedFileError(`${path}: the directory ${directory} ${problem}`);
  }
}

/** All directories by which the kernel comes to a file, those in which links lie included. */
function stepsTo(path: string): string[] {
  const steps = ["/"];
  let rest = path.split("/");
  let here = "/";
  for (let links = 0; rest.length > 0; ) {
    const [name = "", ...more] = rest;
    rest = more;
    const next = join(here, name);
    const status = lstatSync(next);
    if (status.isSymbolicLink()) {
      if (++links > MOST_LINKS) throw new Error(`${path} has too many symbolic links on its way`);
      const target = readlinkSync(next);
      if (target.startsWith("/")) here = "/";
      rest = [...target.split("/"), ...rest];
    } else {
      here = next;
      if (status.isDirectory()) steps.push(here);
    }
  }
  return steps;
}

/** As many as path_resolution(7) allows. */
const MOST_LINKS = 40;

function distrust(status: {
  isFile(): boolean;
  readonly mode: number;
  readonly uid: number;
}): string | undefined {
  if (!status.isFile()) return "is not a regular file";
  if (isWorldWritable(status)) return "may be written by everybody: take that away with chmod o-w";
  return distrustOwner(status.uid);
}

function distrustOwner(uid: number): string | undefined {
  const us = process.geteuid?.();
  if (uid === 0 || uid === us || isNobodyHere(uid)) return undefined;
  return `belongs to user ${uid}: it has to be root's${us === 0 ? "" : " or our own"}, chown root`;
}

/**
 * In a user namespace all who are not in its map, root of the machine among them, appear as one user, whom nobody in
 * there can be (user_namespaces(7)) unless the map has that one as well.
 */
function isNobodyHere(uid: number): boolean {
  try {
    const overflow = Number(readFileSync("/proc/sys/kernel/overflowuid", "utf8"));
    if (uid !== overflow) return false;
    const rows = readFileSync("/proc/self/uid_map", "utf8").trim().split("\n");
    return !rows
      .map((row) => row.trim().split(/\s+/).map(Number))
      .some(([first = 0, , count = 0]) => uid >= first && uid < first + count);
  } catch {
    return false;
  }
}

/** As much of a script as the kernel reads to find its interpreter (BINPRM_BUF_SIZE). */
const FIRST_LINE = 256;

/**
 * A program can be started, and nobody else could have written it. Throws an Error that says why not;
 * UntrustedFileError.
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
