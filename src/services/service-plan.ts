/** Decides what makes a service use MPTCP. Pure: facts go in, a plan or a Refusal comes out. */
import { basename } from "node:path";
import { dropInName, type Plan } from "./drop-in.ts";
import { Refusal } from "./refusal.ts";
import { deniedSystemCall, hidden } from "./sandbox.ts";
import type { Program, ServiceFacts } from "./service-facts.ts";
import { type ExecLine, execLines, parseExecLine } from "./systemd/exec-line.ts";
import type { Properties } from "./systemd/systemctl.ts";
import { escapeSpecifiers, quoteWord } from "./systemd/unit-syntax.ts";
import { overriding, ownSettings, settings, withDropIn } from "./unit.ts";
import { isUpstreamSetting } from "./upstream.ts";
import { planVariables } from "./variables-plan.ts";
import { type How, versionWithSocketProtocol } from "./ways.ts";

export type ServicePlanOptions = {
  readonly how: How;
  /** Absolute path of the launcher. */
  readonly launcher: string;
  /** Absolute path that the environment file will have, if one is needed. */
  readonly environmentFile: string;
};

export function planService(facts: ServiceFacts, options: ServicePlanOptions): Plan {
  const { unit, programs } = facts;
  const unreached = programs.find(({ inspection }) => inspection.way === "none");
  if (unreached !== undefined) throw new Refusal(`${unit.name} would run as TCP: ${reasonOf(unreached)}`);
  const bySeccomp = programs.some(({ inspection }) => inspection.way === "seccomp");
  const plan = bySeccomp ? planSeccomp(facts, options) : planVariables(facts, options.environmentFile);
  const warnings = new Set(programs.flatMap(({ inspection }) => inspection.warnings));
  const ofSeccomp = bySeccomp ? [...privilegeNotes(facts), ...journalNotes(facts)] : [];
  return { ...plan, notes: [...warnings, ...ofSeccomp, ...commonNotes(facts)] };
}

/**
 * For programs that no other way reaches: every start of the unit attaches the BPF program to the unit's cgroup.
 *
 * @param attach the command that does it
 */
export function planBpf(facts: ServiceFacts, attach: readonly string[]): Plan {
  const words = attach.map((word) => quoteWord(escapeSpecifiers(word).replaceAll("$", "$$$$")));
  // "+": as root, outside the sandbox. "-": where it fails, the service starts all the same, with TCP.
  const command = `-+${words.join(" ")}`;
  const lines = [`ExecStartPre=${command}`];
  refuseUnlessEffective(facts, "ExecStartPre", lines, (effective) => effective.includes(command));
  return { way: "bpf", section: "Service", lines, notes: commonNotes(facts) };
}

/**
 * An ExecStart= line, rewritten to run under the launcher's seccomp supervisor. The launcher executes the program in
 * its place, so the main process, what it is given and what it says to systemd stay the same. All of the line but the
 * program's path stays as it was written.
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

function planSeccomp(facts: ServiceFacts, { launcher, how }: ServicePlanOptions): Omit<Plan, "notes"> {
  const { unit, execStart, programs, properties } = facts;
  refuseWhereSeccompFails(unit.name, launcher, properties);
  // Left to itself, the launcher starts the service with TCP where the supervisor fails, and looks at it anew.
  const options = how === "auto" ? [] : [`--how=${how}`];
  const commands = execStart.map((value, index) =>
    underLauncher(value, programs[index]?.path ?? "", [launcher, ...options]),
  );
  // The empty one takes back those of the unit.
  const lines = ["", ...commands].map((command) => `ExecStart=${command}`);
  refuseUnlessEffective(
    facts,
    "ExecStart",
    lines,
    (effective) => effective.join("\n") === commands.join("\n"),
  );
  const [identifier, ...others] = journalNames(facts);
  if (identifier !== undefined && others.length === 0)
    lines.push(`SyslogIdentifier=${escapeSpecifiers(identifier)}`);
  return { way: "seccomp", launcher, originalExecStart: execStart, section: "Service", lines };
}

/**
 * Under which names the journal has messages of the programs, where the unit does not say (SyslogIdentifier= of
 * systemd.exec(5)): those of the files that systemd executes, which will be the launcher's.
 */
function journalNames({ files, programs }: ServiceFacts): string[] {
  const own = settings(files.assignments, "Service", "SyslogIdentifier").at(-1);
  if (own !== undefined && own.value !== "") return [];
  return [...new Set(programs.map(({ path }) => basename(path)))];
}

function journalNotes(facts: ServiceFacts): string[] {
  const names = journalNames(facts);
  if (names.length < 2) return [];
  return [
    `the journal will have messages of ${names.join(" and ")} under the name mptcpize: SyslogIdentifier= gives them another`,
  ];
}

/** Plays through what systemd will make of the unit's files with ours among them. */
function refuseUnlessEffective(
  { unit, files }: ServiceFacts,
  key: "ExecStart" | "ExecStartPre",
  lines: readonly string[],
  holds: (effective: readonly string[]) => boolean,
): void {
  const assignments = withDropIn(files, ownSettings("Service", lines));
  if (!holds(execLines(assignments, key)))
    throw overriding(unit.name, files, `${key}=`, (setting) => setting.key === key);
}

function reasonOf({ path, inspection }: Program): string {
  return inspection.warnings[0] ?? `${path}: ${inspection.why}`;
}

/** Without CAP_SYS_ADMIN, seccomp(2) takes a filter only from a process with no_new_privs. */
function privilegeNotes({ unit, asRoot, properties }: ServiceFacts): string[] {
  if (asRoot || properties.yes("NoNewPrivileges")) return [];
  return [
    `${unit.name} runs with no_new_privs by this: setuid programs that it starts (sudo, ping) gain no privilege`,
  ];
}

function commonNotes(facts: ServiceFacts): string[] {
  return [...templateNotes(facts), ...socketNotes(facts), ...upstreamNotes(facts)];
}

function templateNotes({ unit: { name, templateName, dropIns } }: ServiceFacts): string[] {
  const isOfTemplate = (path: string) => path.endsWith(`/${templateName}.d/${dropInName}`);
  if (templateName === undefined || !dropIns.some(isOfTemplate)) return [];
  return [`${name} is enabled by its template ${templateName} as well: this drop-in goes before that`];
}

function socketNotes({ unit, properties, systemdVersion, accepting }: ServiceFacts): string[] {
  const triggers = properties.words("TriggeredBy").filter((name) => name.endsWith(".socket"));
  const sockets = accepting === undefined ? triggers : [accepting];
  if (sockets.length === 0) return [];
  const passed = `sockets that ${unit.name} gets from ${sockets.join(" ")} stay as they are`;
  if (systemdVersion < versionWithSocketProtocol && accepting !== undefined)
    return [
      `${passed}: systemd ${systemdVersion} makes no MPTCP sockets; with Accept=yes it takes a server that listens by itself`,
    ];
  if (systemdVersion < versionWithSocketProtocol)
    return [
      `${passed}: systemd ${systemdVersion} makes no MPTCP sockets; where the service can listen by itself: systemctl disable --now ${sockets.join(" ")}`,
    ];
  return [`${passed}: mptcpize enable ${sockets.join(" ")}`];
}

function upstreamNotes({ unit, files }: ServiceFacts): string[] {
  const line = files.assignments.find((setting) => isUpstreamSetting(setting, files.fragment));
  if (line === undefined) return [];
  return [
    `${line.file}:${line.line} is what the C mptcpize wrote there: \`mptcpize enable --repair ${unit.name}\` takes it out`,
  ];
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
