/** Services of systemd: the state of mptcpd's units, what it logged last, and the units that mptcpize has enabled. */

import * as v from "valibot";
import { table } from "../../base/command-line/terminal.ts";
import { messageOf } from "../../base/errors.ts";
import { oneLine, parseJson } from "../../base/text.ts";
import { type DropInDirectories, dropInDirectories, findDropIns } from "../../services/drop-in.ts";
import type { Secrets } from "./secrets.ts";
import { askTool, type Section } from "./section.ts";

/** The one of the host's own network namespace, and those of others. */
const units = ["mptcp.service", "mptcpd@*.service"];

/** Neither command lines nor environments are among them. */
const properties = [
  ...["Id", "LoadState", "ActiveState", "SubState", "UnitFileState", "FragmentPath", "DropInPaths", "Type"],
  ...["Result", "MainPID", "NRestarts", "ExecMainCode", "ExecMainStatus", "ActiveEnterTimestamp"],
  ...["InactiveEnterTimestamp", "StatusText", "WatchdogUSec", "MemoryCurrent", "CPUUsageNSec"],
];

export function unitSection(secrets: Secrets): Section {
  return {
    name: "unit",
    title: units.join(" and "),
    async gather() {
      const { stdout } = await askTool("systemctl", [
        ...["show", "--no-pager", `--property=${properties.join(",")}`, "--", ...units],
      ]);
      const blocks = stdout
        .trim()
        .split("\n\n")
        .map((block) => secrets.apply(block).trim());
      return {
        text: `${blocks.join("\n\n")}\n`,
        data: blocks.map((block) => Object.fromEntries(block.split("\n").map(assignment))),
      };
    },
  };
}

function assignment(line: string): [string, string] {
  const equals = line.indexOf("=");
  return [line.slice(0, equals), line.slice(equals + 1)];
}

/** @param count how many lines, the last ones */
export function logSection(count: number, secrets: Secrets): Section {
  return {
    name: "log",
    title: `the last ${count} lines that mptcpd logged to the journal`,
    async gather() {
      const { stdout, stderr } = await askTool("journalctl", [
        ...["--no-pager", "--output=json", `--lines=${count}`, ...units.map((unit) => `--unit=${unit}`)],
      ]);
      const entries = stdout.split("\n").flatMap((line) => entryOf(line) ?? []);
      const shown = entries.map((entry) => ({ ...entry, message: secrets.apply(oneLine(entry.message)) }));
      return {
        text: shown.map(({ time, priority, message }) => `${time} <${priority}> ${message}\n`).join(""),
        data: shown,
        // Such as that this user may see the log of none but their own programs.
        notes: [
          ...(stderr.trim() === "" ? [] : [`journalctl says: ${stderr.trim()}`]),
          ...(shown.length === 0 && count > 0
            ? ["the journal has no lines of mptcpd, or does not show them to this user"]
            : []),
        ],
      };
    },
  };
}

type LogEntry = {
  readonly time: string;
  readonly priority: string;
  readonly unit?: string;
  readonly message: string;
};

const journalEntry = v.object({
  __REALTIME_TIMESTAMP: v.optional(v.string()),
  PRIORITY: v.optional(v.string()),
  _SYSTEMD_UNIT: v.optional(v.string()),
  // Bytes where it is no text.
  MESSAGE: v.optional(v.union([v.string(), v.array(v.number()), v.null()])),
});

function entryOf(line: string): LogEntry | undefined {
  if (line === "") return undefined;
  const { output: entry, success } = v.safeParse(journalEntry, parseJson(line));
  if (!success) return undefined;
  const {
    __REALTIME_TIMESTAMP: time,
    PRIORITY: priority = "-",
    _SYSTEMD_UNIT: unit,
    MESSAGE: message,
  } = entry;
  return {
    time: time === undefined ? "-" : new Date(Number(time) / 1000).toISOString(),
    priority,
    ...(unit !== undefined && { unit }),
    message: Array.isArray(message) ? Buffer.from(message).toString() : (message ?? ""),
  };
}

/** Which they are and how; not their lines, which hold command lines. */
export function enabledServicesSection(
  directories: DropInDirectories = dropInDirectories({ user: false }),
): Section {
  return {
    name: "services",
    title: "units that mptcpize has enabled",
    gather() {
      const failures: unknown[] = [];
      const units = findDropIns(directories, failures).map(({ unit, path, dropIn: { way, edited } }) => ({
        unit,
        way,
        edited,
        path,
      }));
      const rows = units.map(({ unit, way, edited, path }) => [
        unit,
        way,
        edited ? "edited" : "as written",
        path,
      ]);
      return {
        text: rows.length === 0 ? "" : table([["UNIT", "WAY", "DROP-IN", ""], ...rows]),
        data: units,
        notes: failures.map(messageOf),
      };
    },
  };
}
