/** Running a service under the launcher's seccomp supervisor: its ExecStart= lines, rewritten; and where that fails. */

import { Refusal } from "./refusal.ts";
import { deniedSystemCall, hidden } from "./sandbox.ts";
import { type ExecLine, parseExecLine } from "./systemd/exec-line.ts";
import type { Properties } from "./systemd/shown.ts";
import { escapeSpecifiers, quoteWord } from "./systemd/words.ts";

/**
 * The launcher executes the program in its place, so the main process, what it is given and what it says to systemd
 * stay the same. All of the line but the program's path stays as it was written.
 *
 * @param program where the program was found
 * @param launcher the launcher's path, and options of its `run`
 */
export function underLauncher(
  value: string,
  program: string,
  [launcher, ...options]: readonly [path: string, ...options: string[]],
): string {
  const line = parseExecLine(value);
  const argv0 = argv0Of(line);
  return [
    `${line.prefixes}${quoteWord(escapeSpecifiers(launcher))}`,
    "run",
    ...options,
    ...(argv0 === undefined ? [] : [quoteWord(`--argv0=${argv0}`)]),
    "--",
    pathArgument(line.path.startsWith("/") ? line.path : escapeSpecifiers(program), line),
    ...(line.rest === "" ? [] : [line.rest]),
  ].join(" ");
}

/** Throws a Refusal for a unit whose service would not work under the supervisor as it does without. */
export function refuseWhereSeccompFails(unit: string, launcher: string, properties: Properties): void {
  const why = obstacle(launcher, properties);
  if (why !== undefined)
    throw new Refusal(`${unit} would run under the supervisor of ${launcher}, but ${why}`);
}

function obstacle(launcher: string, properties: Properties): string | undefined {
  if (properties.text("Type") === "forking" && properties.text("PIDFile") === "")
    return "Type=forking without PIDFile= lets systemd guess the main process, which it cannot beside a supervisor: add PIDFile=";
  const unusable = hidden(launcher, properties);
  if (unusable !== undefined) return unusable;
  const denied = deniedSystemCall(neededSystemCalls, properties);
  if (denied !== undefined)
    return `its SystemCallFilter= does not allow ${denied}(2): add SystemCallFilter=${neededSystemCalls.join(" ")}`;
  const limit = ["LimitNPROC", "TasksMax"].find(
    (name) => Number(properties.text(name) || "infinity") < fewestTasks,
  );
  if (limit !== undefined)
    return `${limit}=${properties.text(limit)} leaves no room for the supervisor's processes`;
  return undefined;
}

/** Of those of the launcher, what a filter that lets a network service live may lack (@system-service lacks it). */
const neededSystemCalls = ["seccomp"];

/** The program, the supervisor's two processes, those by which they come to be and one for another namespace. */
const fewestTasks = 6;

/** Without "@", argv[0] is the path as it is written; the launcher makes it the path that it is given. */
function argv0Of({ argv0, path }: ExecLine): string | undefined {
  return argv0 ?? (path.startsWith("/") ? undefined : path);
}

/** In arguments, other than in the path of the program, systemd looks for $VARIABLES, unless ":" forbids it. */
function pathArgument(text: string, { prefixes }: ExecLine): string {
  return quoteWord(prefixes.includes(":") ? text : text.replaceAll("$", "$$$$"));
}
