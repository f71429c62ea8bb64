/** mptcpd itself: its version, whether it runs, its configuration, and its records. */
import { existsSync, lstatSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { table } from "../../base/command-line/terminal.ts";
import { messageOf } from "../../base/errors.ts";
import { version } from "../../base/version.ts";
import { ConfigError, defaultConfigFile } from "../../control/config/config.ts";
import { readConfigFile } from "../../control/config/ini-file.ts";
import { parseConfig } from "../../control/config/load.ts";
import { Ledger } from "../../control/endpoints/ledger.ts";
import { currentNamespace, namespaceFile } from "../../control/endpoints/namespace.ts";
import { type PublishedEndpoints, readRefused, readWanted } from "../../control/endpoints/published-state.ts";
import type { Refusal } from "../../control/policy/decision.ts";
import { lockHolder } from "../../kernel/file-lock.ts";
import { Processes } from "../../kernel/processes.ts";
import { builtIn } from "../../path-managers/built-in/index.ts";
import { configurationText, type Secrets, showConfiguration, withoutQuotes } from "./secrets.ts";
import type { Section } from "./section.ts";

/**
 * Programs that make endpoints, or switch MPTCP on; ours goes by the name of its runtime, and is told by its lock or
 * unit.
 */
const related = ["mptcpd", "NetworkManager", "mptcpize"];
const ofUnit = /\/(mptcp|mptcpd@[^/]*)\.service(\/|$)/;

export function processesSection(runtimeDirectory: string): Section {
  return {
    name: "processes",
    title: "mptcpd, and other programs that make endpoints or enable MPTCP; only names and numbers",
    gather() {
      const namespace = currentNamespace();
      const holder = lockHolder(namespaceFile(runtimeDirectory, namespace, "lock"));
      const head = { version, networkNamespace: namespace.key, runtimeDirectory };
      const processes = relatedProcesses(holder);
      return {
        text: table(Object.entries(head)) + processTable(processes),
        data: { ...head, processes },
      };
    },
  };
}

/** @param holder the process that has the lock of this network namespace */
function relatedProcesses(holder: number | undefined) {
  const here = statSync("/proc/self/ns/net").ino;
  return new Processes()
    .list()
    .filter(({ name, pid, cgroup }) => related.includes(name) || pid === holder || ofUnit.test(cgroup))
    .map(({ pid, name, startedAt, cgroup, networkNamespace }) => ({
      pid,
      name,
      role: pid === holder ? "the mptcpd of this network namespace" : undefined,
      started: new Date(startedAt).toISOString(),
      cgroup,
      sameNetworkNamespace: networkNamespace === undefined ? undefined : networkNamespace === here,
    }));
}

function processTable(processes: ReturnType<typeof relatedProcesses>): string {
  if (processes.length === 0) return "None of them runs.\n";
  const rows = processes.map(({ pid, name, role = "", started, cgroup, sameNetworkNamespace: same }) => {
    const isHere = same === undefined ? "?" : same ? "yes" : "no";
    return [String(pid), name, started, isHere, cgroup || "-", role];
  });
  return table([["PID", "NAME", "STARTED", "IN THIS NAMESPACE", "CGROUP", ""], ...rows]);
}

export function configurationSection(file: string | undefined, secrets: Secrets): Section {
  const path = file ?? defaultConfigFile;
  return {
    name: "configuration",
    title: path,
    gather() {
      const bytes = readConfigFile(path);
      if (bytes === undefined) {
        if (file !== undefined) throw new ConfigError([`${path}: there is no such file`]);
        return { text: "There is no such file: mptcpd uses its defaults.\n", data: { file: null } };
      }
      const { sections, unreadableLines } = showConfiguration(bytes, builtIn, secrets);
      const faults = faultsOf(bytes, path);
      const said = faults.map((fault) => `mptcpd says: ${fault}\n`);
      const lines = unreadableLines.map((line) => `line ${line} is left out: it cannot be read`);
      return {
        text: [configurationText(sections), ...(said.length === 0 ? [] : ["\n", ...said])].join(""),
        data: { file: path, sections, faults },
        notes: lines,
      };
    },
  };
}

/** What mptcpd would say of it. */
function faultsOf(bytes: Uint8Array, file: string): string[] {
  try {
    return parseConfig(bytes, { file }).warnings.map(withoutQuotes);
  } catch (error) {
    if (error instanceof ConfigError) return error.lines.map(withoutQuotes);
    throw error;
  }
}

export function stateSection(directory: string): Section {
  return {
    name: "state",
    title: `mptcpd's records of this network namespace, in ${directory}`,
    gather() {
      const notes: string[] = [];
      const namespace = currentNamespace();
      if (!existsSync(directory))
        return {
          text: "There is no such directory: mptcpd has not run since the system started.\n",
          data: null,
        };
      const ledger = new Ledger({
        directory,
        namespace,
        warn: (note) => notes.push(withoutQuotes(note)),
        readOnly: true,
      });
      const { endpoints, limits, capacity, pathManager } = ledger;
      let wanted: PublishedEndpoints | undefined;
      try {
        wanted = readWanted(directory, namespace);
      } catch (error) {
        notes.push(`cannot read which endpoints path managers want: ${withoutQuotes(messageOf(error))}`);
      }
      let refused: readonly Refusal[] | undefined;
      try {
        refused = readRefused(directory, namespace);
      } catch (error) {
        notes.push(`cannot read which commands the kernel refused: ${withoutQuotes(messageOf(error))}`);
      }
      const facts = { endpoints, limits, capacity, pathManager, wanted, refused };
      const files = filesIn(directory, notes);
      const rows = files.map(({ name, mode, uid, size, modified }) => [
        mode,
        String(uid),
        String(size),
        modified,
        name,
      ]);
      const lines = Object.entries(facts).map(
        ([name, value]) => `${name}: ${JSON.stringify(value) ?? "-"}\n`,
      );
      return { text: lines.join("") + table(rows), data: { ...facts, files }, notes };
    },
  };
}

type StateFile = {
  readonly name: string;
  readonly mode: string;
  readonly uid: number;
  readonly size: number;
  readonly modified: string;
};

function filesIn(directory: string, notes: string[]): StateFile[] {
  try {
    return readdirSync(directory)
      .toSorted()
      .map((name) => {
        const { mode, uid, size, mtime } = lstatSync(join(directory, name));
        const modeText = (mode & 0o7777).toString(8).padStart(4, "0");
        return { name, mode: modeText, uid, size, modified: mtime.toISOString() };
      });
  } catch (error) {
    notes.push(`the directory cannot be listed: ${messageOf(error)}`);
    return [];
  }
}
