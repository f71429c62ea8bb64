/** A systemd that has read the unit files of a temporary directory: as much of `systemctl` as services/ asks for. */
import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import type { TestContext } from "node:test";
import type { dropInDirectories } from "../../../src/services/drop-in.ts";
import { type Inspection, Launcher, type RunAs } from "../../../src/services/launcher.ts";
import {
  environmentAssignments,
  environmentFiles,
} from "../../../src/services/systemd/environment-settings.ts";
import { execLines, parseExecLine } from "../../../src/services/systemd/exec-line.ts";
import { type RunCommand, Systemctl } from "../../../src/services/systemd/systemctl.ts";
import { type Assignment, parseUnitFile } from "../../../src/services/systemd/unit-syntax.ts";
import { temporaryDirectory } from "../temporary.ts";

export const library = "/usr/lib/mptcpize/libmptcpwrap.so";

export class FakeSystemd {
  readonly root: string;
  readonly directories: ReturnType<typeof dropInDirectories>;
  readonly launcherPath = "/usr/bin/mptcpize";
  /** Commands other than `show`, as they were given. */
  readonly commands: string[] = [];
  /** What `show` says whatever the files have, by unit. */
  readonly shown: Record<string, Record<string, string>> = {};
  version = 252;
  refusesBpf = false;
  afterReload = (): void => {};
  /** A command that fails. */
  failing: string | undefined;
  readonly active = new Set<string>();
  /** What the launcher says of programs that are not dynamic ones, by path. */
  readonly ways: Record<string, Inspection["way"]> = {};

  constructor(t: TestContext) {
    this.root = temporaryDirectory(t);
    this.directories = { persistent: join(this.root, "etc"), runtime: join(this.root, "run") };
  }

  /** Makes a file below the root. Returns its path. */
  put(path: string, text: string): string {
    const file = join(this.root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    return file;
  }

  link(path: string, target: string): void {
    const file = join(this.root, path);
    mkdirSync(dirname(file), { recursive: true });
    symlinkSync(target, file);
  }

  /** Every file below the root, with its text. */
  tree(): Record<string, string> {
    const paths = readdirSync(this.root, { recursive: true, encoding: "utf8" }).toSorted();
    return Object.fromEntries(
      paths.map((path) => {
        const status = lstatSync(join(this.root, path));
        if (status.isSymbolicLink()) return [path, `-> ${readlinkSync(join(this.root, path))}`];
        const text = status.isDirectory() ? "" : readFileSync(join(this.root, path), "utf8");
        return [path, `${status.mode.toString(8)} ${text}`];
      }),
    );
  }

  readonly run: RunCommand = async (command, args) => {
    assert.equal(command, "systemctl");
    const words = args.filter((word) => !word.startsWith("-"));
    if (this.failing !== undefined && words[0] === this.failing)
      return { stdout: "", stderr: `${words[0]} fails\n`, code: 1 };
    if (words[0] === "is-active")
      return { stdout: "", stderr: "", code: this.active.has(words[1] ?? "") ? 0 : 3 };
    const stdout =
      words[0] === "show"
        ? this.#show(words.at(-1) ?? "", propertiesIn(args))
        : words[0] === "show-environment"
          ? "PATH=/usr/bin\n"
          : args.includes("--version")
            ? `systemd ${this.version} (${this.version}.1)\n+PAM\n`
            : this.#note(args);
    return { stdout, stderr: "", code: 0 };
  };

  /** Of Environment=, as systemd has it. */
  environmentOf(unit: string): Record<string, string> {
    return Object.fromEntries(environmentAssignments(this.#assignments(unit)));
  }

  get systemctl(): Systemctl {
    return new Systemctl({ user: false, run: this.run });
  }

  /** Merges as the real launcher does. */
  get launcher(): Launcher {
    const run: RunAs = async (_command, args) => {
      const own = (name: string) =>
        args.find((word) => word.startsWith(`--env=${name}=`))?.slice(`--env=${name}=`.length) ?? "";
      const others = own("LD_PRELOAD")
        .split(":")
        .filter((entry) => entry !== "" && !entry.includes("libmptcpwrap.so"));
      const godebug = own("GODEBUG") === "" ? [] : [own("GODEBUG")];
      const program = args[args.indexOf("--") + 1] ?? "";
      const way = this.ways[program] ?? "preload";
      const set =
        way === "seccomp"
          ? ""
          : `set: LD_PRELOAD=${[...others, library].join(":")}\nset: GODEBUG=${[...godebug, "multipathtcp=1"].join(",")}\n`;
      return { stdout: `way: ${way}\nprogram: ${program}\nwhy: test\n${set}`, stderr: "", code: 0 };
    };
    return new Launcher(this.launcherPath, run);
  }

  #note(args: readonly string[]): string {
    this.commands.push(args.filter((word) => word !== "--no-pager").join(" "));
    if (args.includes("daemon-reload")) this.afterReload();
    return "";
  }

  #show(unit: string, properties: readonly string[]): string {
    const known = { ...this.#describe(unit), ...this.shown[unit] };
    return properties
      .flatMap((name) => (known[name] ?? "").split("\n").map((value) => `${name}=${value}\n`))
      .join("");
  }

  /** Of properties with several lines, as they are shown. */
  #describe(asked: string): Record<string, string> {
    const fragment = this.#find(asked) ?? this.#find(templateOf(asked));
    if (fragment === undefined) return { Id: asked, LoadState: "not-found" };
    const status = lstatSync(fragment);
    const target = status.isSymbolicLink() ? readlinkSync(fragment) : undefined;
    if (target === "/dev/null") return { Id: asked, LoadState: "masked", FragmentPath: fragment };
    if (target !== undefined) return this.#describe(basename(target));
    const assignments = this.#assignments(asked);
    return {
      ...lastValues(assignments),
      Id: asked,
      LoadState: "loaded",
      FragmentPath: fragment,
      DropInPaths: this.#dropIns(asked).join(" "),
      Environment: [...environmentAssignments(assignments)]
        .map(([name, value]) => `${name}=${value}`)
        .join(" "),
      EnvironmentFiles: environmentFiles(assignments)
        .map(({ path, optional }) => `${path} (ignore_errors=${optional ? "yes" : "no"})`)
        .join("\n"),
      ExecStart: commandsOf(assignments),
      ExecStartEx: commandsOf(assignments),
    };
  }

  #find(unit: string): string | undefined {
    return ["etc", "run", "lib"]
      .map((directory) => join(this.root, directory, unit))
      .find((path) => existsSync(path) || lstatSync(path, { throwIfNoEntry: false }) !== undefined);
  }

  #assignments(unit: string): Assignment[] {
    const fragment = this.#find(unit) ?? this.#find(templateOf(unit)) ?? "";
    return [fragment, ...this.#dropIns(unit)].flatMap((path) =>
      parseUnitFile(readFileSync(path, "utf8"), path),
    );
  }

  #dropIns(asked: string): string[] {
    const found = new Map<string, string>();
    for (const unit of [asked, templateOf(asked)])
      for (const directory of ["etc", "run", "lib"]) {
        const path = join(this.root, directory, `${unit}.d`);
        const status = statSync(path, { throwIfNoEntry: false });
        for (const name of status?.isDirectory() ? readdirSync(path) : [])
          if (name.endsWith(".conf") && isFile(join(path, name)) && !found.has(name))
            found.set(name, join(path, name));
      }
    return [...found.keys()].toSorted().flatMap((name) => found.get(name) ?? []);
  }
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

function propertiesIn(args: readonly string[]): string[] {
  return args.flatMap((word, index) => {
    const [, inOne] = /^(?:--property=|-p)(.+)$/.exec(word) ?? [];
    const afterIt = word === "-p" || word === "--property" ? args[index + 1] : undefined;
    return (inOne ?? afterIt ?? "").split(",").filter((name) => name !== "");
  });
}

function templateOf(unit: string): string {
  return unit.replace(/@[^.]+(?=\.)/, "@");
}

function lastValues(assignments: readonly Assignment[]): Record<string, string> {
  return Object.fromEntries(
    assignments.filter(({ section }) => section === "Service").map(({ key, value }) => [key, value]),
  );
}

function commandsOf(assignments: readonly Assignment[]): string {
  return execLines(assignments, "ExecStart")
    .map((line) => {
      const { path, rest } = parseExecLine(line);
      return `{ path=${path} ; argv[]=${path} ${rest} ; flags= ; start_time=[n/a] ; }`;
    })
    .join("\n");
}
