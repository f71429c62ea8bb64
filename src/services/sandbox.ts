/** What a unit's sandbox (systemd.exec(5)) keeps from the service that it needs for MPTCP. */
import type { Properties } from "./systemd/systemctl.ts";

/** What `systemctl show` has to be asked for. */
export const sandboxProperties = [
  "RootDirectory",
  "RootImage",
  "ProtectHome",
  "PrivateTmp",
  "InaccessiblePaths",
  "TemporaryFileSystem",
  "BindPaths",
  "BindReadOnlyPaths",
  "NoExecPaths",
  "ExecPaths",
  "SystemCallFilter",
] as const;

/** Why the service cannot use a file, and what would help; undefined if it can. */
export function hidden(path: string, unit: Properties): string | undefined {
  const bound = deepest(
    path,
    [...unit.words("BindPaths"), ...unit.words("BindReadOnlyPaths")].map(destination),
  );
  const hiding = hidingSettings(unit).find(({ paths, bindable }) => {
    const depth = deepest(path, paths);
    return depth > 0 && !(bindable && bound > depth);
  });
  if (hiding !== undefined) {
    const help = hiding.bindable
      ? `BindReadOnlyPaths=${path} lets it in`
      : "it would have to be installed elsewhere";
    return `${hiding.setting} keeps ${path} from the service: ${help}`;
  }
  if (!isExecutable(path, unit))
    return `NoExecPaths=${unit.text("NoExecPaths")} keeps the service from executing ${path}: ExecPaths=${path} allows it`;
  return undefined;
}

/** The first of these system calls that SystemCallFilter= does not let through. */
export function deniedSystemCall(calls: readonly string[], unit: Properties): string | undefined {
  // Shown as plain names: all that may be called, or after "~" all that may not.
  const filter = unit.text("SystemCallFilter");
  if (filter === "") return undefined;
  const denyList = filter.startsWith("~");
  const listed = new Set(filter.slice(denyList ? 1 : 0).split(" "));
  return calls.find((call) => listed.has(call) === denyList);
}

type Hiding = {
  readonly setting: string;
  readonly paths: readonly string[];
  /** What is bound below can be seen; below what is inaccessible systemd binds nothing. */
  readonly bindable: boolean;
};

function hidingSettings(unit: Properties): Hiding[] {
  const homes = ["/home", "/root", "/run/user"];
  const temporary = ["/tmp", "/var/tmp"];
  const known = [
    { name: "RootDirectory", paths: ["/"], bindable: true },
    { name: "RootImage", paths: ["/"], bindable: true },
    { name: "ProtectHome", values: ["yes"], paths: homes, bindable: false },
    { name: "ProtectHome", values: ["tmpfs"], paths: homes, bindable: true },
    // "disconnected" since systemd 257.
    { name: "PrivateTmp", values: ["yes", "disconnected"], paths: temporary, bindable: true },
  ];
  const set = known.flatMap(({ name, values, paths, bindable }) => {
    const value = unit.text(name);
    const hides = values === undefined ? value !== "" && value !== "/" : values.includes(value);
    return hides ? [{ setting: `${name}=${value}`, paths, bindable }] : [];
  });
  const inaccessible = unit
    .words("InaccessiblePaths")
    .map((word) => ({ setting: `InaccessiblePaths=${word}`, paths: [plain(word)], bindable: false }));
  const covered = unit.words("TemporaryFileSystem").map((word) => {
    const [directory = ""] = word.split(":");
    return { setting: `TemporaryFileSystem=${word}`, paths: [plain(directory)], bindable: true };
  });
  return [...set, ...inaccessible, ...covered];
}

/** Mapping a library takes the same right as executing a program. */
function isExecutable(path: string, unit: Properties): boolean {
  const forbidden = deepest(path, unit.words("NoExecPaths").map(plain));
  return forbidden === 0 || forbidden < deepest(path, unit.words("ExecPaths").map(plain));
}

/** How many characters of a path the longest of the directories takes that it lies in; 0 = in none. */
function deepest(path: string, directories: readonly string[]): number {
  const lengths = directories.map((directory) => {
    const trimmed = directory.replace(/\/+$/, "");
    return path === trimmed || path.startsWith(`${trimmed}/`) ? trimmed.length + 1 : 0;
  });
  return Math.max(0, ...lengths);
}

/** "-" and "+" before a path: it may be missing; it is inside RootDirectory=. */
function plain(word: string): string {
  return word.replace(/^[-+]+/, "");
}

/** SOURCE:DESTINATION:OPTIONS */
function destination(word: string): string {
  const [source = "", target = source] = plain(word).split(":");
  return target;
}
